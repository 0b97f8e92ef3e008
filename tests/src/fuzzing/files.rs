//! The decoders of single files: the first byte says whether checksums are made right, the rest is
//! the file.
//!
//! Why the first byte: no fuzzer guesses a checksum, so half of its work goes to what stands behind
//! one.

use keelstone::probe;

fn decode(data: &[u8], seal: fn(&mut [u8]), door: fn(&[u8]) -> probe::Counts) {
    let Some((mode, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if mode & 1 == 1 {
        seal(&mut bytes);
    }
    let _whatever_it_counts = door(&bytes);
}

/// A frame at its place in a log.
pub fn record(data: &[u8]) {
    decode(data, probe::seal_record, probe::record);
}

/// A file of frames, walked over every defect.
pub fn log(data: &[u8]) {
    decode(data, probe::seal_file, probe::frames);
}

/// A hint.
pub fn hint(data: &[u8]) {
    decode(data, probe::seal_file, probe::hint);
}

/// CURRENT and two manifests.
pub fn manifest(data: &[u8]) {
    decode(data, probe::seal_manifest, probe::manifest);
}
