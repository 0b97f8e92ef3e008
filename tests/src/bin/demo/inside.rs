//! The same import inside the sandbox: `keel --sandbox` answers as `keel` does.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Instant;

use crate::Outcome;
use crate::account::{count, line, since};
use crate::keel::Keel;
use crate::source::Source;

/// Imports the data inside the sandbox; the native store and this one then answer alike, each asked
/// natively and inside.
pub fn import_and_compare(keel: &Keel, source: &Source, folder: &Path, native: &Path) -> Outcome {
    let (store, file) = (folder.join("inside"), folder.join("lines.tsv"));
    let start = Instant::now();
    let said = keel.run(&words(&["import", "--sandbox"], &[&store, &file]))?;
    let time = since(start);
    let expected = format!("imported={}", source.lines.len());
    if said.lines().last() != Some(expected.as_str()) {
        return Err(format!("keel import --sandbox: expected {expected}, found {said:?}"));
    }
    line("import, sandbox", &format!("{} keys, {time}", count(source.lines.len())));
    let start = Instant::now();
    let ask = |options: &[&str], store: &Path| keel.run(&words(options, &[store]));
    let right = ask(&["export"], native)?;
    let stores = [native, store.as_path()];
    let mut bytes = 0;
    for (options, store) in
        [["export", "--sandbox"], ["export", "--quiet"]].iter().flat_map(|o| stores.map(|s| (o, s)))
    {
        let answer = ask(options, store)?;
        if answer != right {
            return Err(format!("{} {}: another answer", options.join(" "), store.display()));
        }
        bytes += answer.len();
    }
    if right.lines().count() != source.lines.len() {
        return Err(format!("export: {} lines", right.lines().count()));
    }
    let verified = ask(&["verify", "--sandbox"], &store)?;
    let verified = verified.lines().last().unwrap_or_default().to_owned();
    let text = format!(
        "{} bytes of answers, {}; keel verify --sandbox: {verified}",
        count(bytes),
        since(start)
    );
    line("same answers", &text);
    Ok(())
}

fn words<'a>(options: &'a [&'a str], paths: &'a [&'a Path]) -> Vec<&'a OsStr> {
    let options = options.iter().map(OsStr::new);
    options.chain(paths.iter().map(|path| path.as_os_str())).collect()
}
