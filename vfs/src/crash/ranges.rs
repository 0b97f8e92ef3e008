//! A set of positions, kept as ranges.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

/// Ranges that neither meet nor touch, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    ends: BTreeMap<u64, u64>,
}

impl Ranges {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ends.iter().map(|(start, end)| *start..*end)
    }

    /// Adds all positions of a range.
    pub(super) fn add(&mut self, range: Range<u64>) {
        if range.start >= range.end {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        while let Some((s, e)) = self.ends.range(..=end).next_back().map(|(s, e)| (*s, *e)) {
            if e < start {
                break;
            }
            (start, end) = (start.min(s), end.max(e));
            self.ends.remove(&s);
        }
        self.ends.insert(start, end);
    }

    /// Takes all positions of a range out.
    pub(super) fn remove(&mut self, range: Range<u64>) {
        while let Some((s, e)) = self.ends.range(..range.end).next_back().map(|(s, e)| (*s, *e)) {
            if e <= range.start {
                break;
            }
            self.ends.remove(&s);
            if s < range.start {
                self.ends.insert(s, range.start);
            }
            if range.end < e {
                self.ends.insert(range.end, e);
            }
        }
    }

    /// The parts of a range that are not in the set.
    pub(super) fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        for (start, end) in self.ends.range(..range.end) {
            if *end <= at {
                continue;
            }
            if at < *start {
                gaps.push(at..*start);
            }
            at = *end;
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;
    use alloc::collections::BTreeSet;

    // All sequences of three changes to sets within eight positions, beside a set of numbers.
    #[test]
    fn ranges_are_the_set_of_their_positions() {
        let ranges: alloc::vec::Vec<_> =
            (0..6u64).flat_map(|start| (start..7).map(move |end| start..end)).collect();
        for one in &ranges {
            for two in &ranges {
                for three in &ranges {
                    let (mut set, mut model) = (Ranges::default(), BTreeSet::new());
                    set.add(one.clone());
                    model.extend(one.clone());
                    set.remove(two.clone());
                    model.retain(|at| !two.contains(at));
                    set.add(three.clone());
                    model.extend(three.clone());
                    assert!(
                        set.iter().flatten().eq(model.iter().copied()),
                        "{one:?} {two:?} {three:?}"
                    );
                    let gaps = set.gaps(1..6);
                    let open = (1..6).filter(|at| !model.contains(at));
                    assert!(gaps.into_iter().flatten().eq(open), "{one:?} {two:?} {three:?}");
                }
            }
        }
    }
}
