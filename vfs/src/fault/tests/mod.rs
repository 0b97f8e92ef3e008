//! Tests of the fault disk.

mod changed;
mod crashes;
mod faults;
mod programs;
mod traces;

use super::FaultDisk;
use crate::fault::dice::Dice;
use crate::{Access, File, Image, SyncMode, Vfs};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// An image in words: `a=xy` is a file, `d/` a directory; a dot is a zero.
fn image(text: &str) -> Image {
    let entry = |word: &str| match word.split_once('=') {
        Some((name, bytes)) => {
            let bytes = bytes.bytes().map(|byte| if byte == b'.' { 0 } else { byte });
            (name.to_string(), bytes.collect())
        }
        None => (word.to_string(), Vec::new()),
    };
    text.split_whitespace().map(entry).collect()
}

/// A disk that holds this image, all of it durable.
fn disk_with(text: &str) -> FaultDisk {
    let disk = FaultDisk::new();
    for (name, bytes) in image(text) {
        match name.strip_suffix('/') {
            Some(dir) => {
                disk.create_dir(dir).unwrap();
                disk.sync_dir("").unwrap();
            }
            None => disk.write_file(&name, &bytes).unwrap(),
        }
    }
    disk
}

/// An image as [`image`] reads it.
fn text(image: &Image) -> String {
    let entry = |(name, bytes): (&String, &Vec<u8>)| {
        let bytes = String::from_utf8_lossy(bytes).replace('\0', ".");
        if name.ends_with('/') { name.clone() } else { [name, "=", &bytes].concat() }
    };
    image.iter().map(entry).collect::<Vec<_>>().join(" ")
}

fn open(disk: &FaultDisk, name: &str) -> Box<dyn File> {
    disk.open(name, Access::Write).unwrap()
}

/// Does something to the disk by dice: any operation with small names, offsets and lengths.
/// What is not possible fails, and that is a fine operation too.
fn random_step(disk: &dyn Vfs, dice: &mut Dice) -> String {
    let names = ["a", "b", "d/a", "d/b"];
    let (name, other) = (names[dice.below(4)], names[dice.below(4)]);
    let dir = ["", "d"][dice.below(2)];
    let what = dice.below(12);
    let result = match what {
        0 => disk.create(name).map(|_| ()),
        1 => disk.remove(name),
        2 => disk.rename(name, other),
        3 => disk.create_dir("d"),
        4 => disk.sync_dir(dir),
        _ => disk.open(name, Access::Write).and_then(|file| random_bytes(&*file, what, dice)),
    };
    let listed = disk.list(dir).map_err(|error| error.kind);
    let file = disk.open(name, Access::Read);
    let content = file.and_then(|file| {
        let mut buf = vec![0; 20];
        let n = file.read_at(&mut buf, dice.below(3) as u64)?;
        Ok((file.len()?, buf[..n].to_vec()))
    });
    let (result, content) = (result.map_err(|e| e.kind), content.map_err(|e| e.kind));
    alloc::format!("{what} {name} {other} {dir}: {result:?} {listed:?} {content:?}")
}

fn random_bytes(file: &dyn File, what: usize, dice: &mut Dice) -> crate::Result<()> {
    let (offset, len) = (dice.below(4) as u64, dice.below(4));
    let bytes = [[b'x', b'y', b'z'], [b'u', b'v', b'w']][dice.below(2)];
    match what {
        5..=7 => file.write_at(&bytes[..len.min(3)], offset),
        8 => file.set_len(offset),
        9 => file.allocate(offset, len as u64),
        10 => file.sync(SyncMode::Data),
        _ => file.sync(SyncMode::All),
    }
}

#[test]
fn all_backends_agree() {
    for seed in 0..300 {
        let (fault, memory) = (FaultDisk::new(), crate::MemoryDisk::new());
        let (mut one, mut two) = (Dice::new(seed), Dice::new(seed));
        for step in 0..60 {
            let did = random_step(&fault, &mut one);
            assert_eq!(did, random_step(&memory, &mut two), "seed {seed} step {step}");
        }
        assert_eq!(fault.cached(), memory.image(), "seed {seed}");
        assert_eq!(fault.cached(), memory.deep_clone().image(), "seed {seed}");
    }
}

#[cfg(all(feature = "std", any(unix, windows)))]
#[test]
fn the_native_disk_agrees() {
    for seed in 0..20 {
        let dir = crate::native::tests::TempDir::new();
        let (native, memory) = (dir.disk(), crate::MemoryDisk::new());
        let (mut one, mut two) = (Dice::new(seed), Dice::new(seed));
        for step in 0..100 {
            let did = random_step(&native, &mut one);
            assert_eq!(did, random_step(&memory, &mut two), "seed {seed} step {step}");
        }
    }
}
