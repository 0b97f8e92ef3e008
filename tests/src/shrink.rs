//! Makes a failing list of operations small: delta debugging (ddmin).
//!
//! Called when a seeded run failed. Promise: what it returns still fails, and leaving out any single item of it does
//! not, unless the budget ran out.

/// The smallest list found for which `fails` is true, within `budget` runs; `items` itself must fail.
pub fn shrink<T: Clone>(items: &[T], budget: usize, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut best = items.to_vec();
    let mut chunk = best.len().div_ceil(2).max(1);
    let mut runs = 0;
    while !best.is_empty() {
        let mut at = 0;
        let mut smaller = false;
        while at < best.len() {
            if runs == budget {
                return best;
            }
            runs += 1;
            let end = (at + chunk).min(best.len());
            let rest: Vec<T> = best[..at].iter().chain(&best[end..]).cloned().collect();
            if fails(&rest) {
                best = rest;
                smaller = true;
            } else {
                at = end;
            }
        }
        if chunk > 1 {
            chunk = chunk.div_ceil(2);
        } else if !smaller {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn only_the_needed_items_stay() {
        let items: Vec<u32> = (0..200).collect();
        let kept = shrink(&items, 10_000, |list| list.contains(&17) && list.contains(&170));
        assert_eq!(kept, [17, 170]);
    }

    #[test]
    fn the_budget_ends_it_with_a_list_that_still_fails() {
        let items: Vec<u32> = (0..200).collect();
        let kept = shrink(&items, 3, |list| list.contains(&150));
        assert!(kept.contains(&150) && kept.len() < 200);
    }
}
