//! Puts arguments into the one order that the parser knows: command, options, `--`, the rest.
//!
//! Called by the hall before parsing; knows options only through the parser's own description of
//! them. Pure.
//! Promise: options may stand anywhere before `--`; an option that needs a value takes the next
//! argument, whatever it is.

use std::ffi::{OsStr, OsString};

use clap::Command;

/// The arguments, ordered: `binary command --option=value ... -- argument ...`.
pub(super) struct Ordered {
    pub(super) args: Vec<OsString>,
    /// Whether `--json` is among the options: an error in the arguments is then reported as JSON
    /// too.
    pub(super) json: bool,
}

/// Orders `args`, which do not hold the name of the binary.
pub(super) fn order(args: impl Iterator<Item = OsString>, parser: &Command) -> Ordered {
    let mut args = args;
    let mut options = Vec::new();
    let mut words = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_encoded_bytes() {
            b"--" => words.extend(args.by_ref()),
            [b'-', b'-', ..] if needs_value(&arg, parser) => match args.next() {
                Some(value) => options.push(joined(arg, &value)),
                None => options.push(arg),
            },
            [b'-', _, ..] => options.push(arg),
            _ => words.push(arg),
        }
    }
    let json = options.iter().any(|option| option == "--json");
    let mut words = words.into_iter();
    let mut ordered = vec![OsString::from("keel")];
    ordered.extend(words.next());
    ordered.extend(options);
    if words.len() > 0 {
        ordered.push("--".into());
        ordered.extend(words);
    }
    Ordered { args: ordered, json }
}

fn joined(mut option: OsString, value: &OsStr) -> OsString {
    option.push("=");
    option.push(value);
    option
}

/// Whether `arg` is `--name` of an option with a value, of any command.
fn needs_value(arg: &OsStr, parser: &Command) -> bool {
    let takes_it = |command: &Command| {
        command.get_arguments().any(|known| {
            let name = known.get_long().is_some_and(|long| arg == OsStr::new(&format!("--{long}")));
            name && known.get_action().takes_values()
        })
    };
    takes_it(parser) || parser.get_subcommands().any(takes_it)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::order;
    use crate::cli::args::Cli;

    fn ordered(args: &[&str]) -> String {
        let args = args.iter().map(|&arg| arg.into());
        let ordered = order(args, &Cli::command());
        let text: Vec<_> = ordered.args.iter().map(|arg| arg.to_string_lossy()).collect();
        text.join(" ")
    }

    #[test]
    fn options_may_stand_anywhere() {
        let after = ordered(&["scan", "dir", "--json", "--limit", "3"]);
        assert_eq!(after, "keel scan --json --limit=3 -- dir");
        assert_eq!(ordered(&["--json", "--limit", "3", "scan", "dir"]), after);
        assert_eq!(ordered(&["--json", "scan", "--limit", "3", "dir"]), after);
        assert_eq!(ordered(&["scan", "--json", "dir", "--limit=3"]), after);
    }

    #[test]
    fn two_dashes_end_the_options() {
        assert_eq!(ordered(&["put", "dir", "--", "--json", "v"]), "keel put -- dir --json v");
        assert_eq!(ordered(&["--", "put", "dir", "--"]), "keel put -- dir --");
    }

    #[test]
    fn a_value_may_look_like_an_option() {
        assert_eq!(ordered(&["scan", "d", "--prefix", "--json"]), "keel scan --prefix=--json -- d");
        assert_eq!(ordered(&["scan", "d", "--prefix", "--"]), "keel scan --prefix=-- -- d");
        assert_eq!(ordered(&["scan", "d", "--prefix"]), "keel scan --prefix -- d");
    }

    #[test]
    fn one_dash_is_an_argument() {
        assert_eq!(ordered(&["import", "dir", "-"]), "keel import -- dir -");
    }

    #[test]
    fn json_is_seen_only_among_the_options() {
        let json = |args: &[&str]| order(args.iter().map(|&arg| arg.into()), &Cli::command()).json;
        assert!(json(&["get", "--nonsense", "--json"]));
        assert!(!json(&["get", "--", "--json"]));
        assert!(!json(&["scan", "--prefix", "--json"]));
    }
}
