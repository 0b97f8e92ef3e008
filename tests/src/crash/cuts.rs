//! The power cuts that are tried at one point, in a fixed order.
//!
//! Called by the explorer and by the oracle for second crashes; asks the fault disk what is pending.

use keelstone::vfs::fault::Rest;
use keelstone::vfs::{FaultDisk, PowerCut, Vfs};

/// The least and the most that can be left.
pub const EXTREMES: [PowerCut; 2] = [PowerCut::Lost, PowerCut::Kept];

/// Every kind of cut: each pending name lost or early alone, each file torn at every n-th unsynced byte with the rest
/// lost or kept. Inside a write to a file, that file torn earlier, and every other file torn with the rest lost, are
/// left out: they leave the bytes that they leave between two operations.
#[must_use]
pub fn all(disk: &FaultDisk, inside: Option<&str>, every: usize) -> Vec<PowerCut> {
    let mut cuts = EXTREMES.to_vec();
    cuts.extend([PowerCut::Names, PowerCut::Bytes, PowerCut::Lengths]);
    for at in 0..disk.pending_names() {
        cuts.extend([PowerCut::NameLost(at), PowerCut::NameEarly(at)]);
    }
    for file in disk.list("").unwrap_or_default() {
        if inside == Some(file.as_str()) {
            continue;
        }
        let pending = disk.pending_bytes(&file);
        for bytes in (0..pending).step_by(every).chain([pending]) {
            let torn = |rest| PowerCut::Torn { file: file.clone(), bytes, rest };
            cuts.push(torn(Rest::Kept));
            if inside.is_none() {
                cuts.push(torn(Rest::Lost));
            }
        }
    }
    cuts
}
