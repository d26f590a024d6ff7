//! Huffman tables that were made before. Most files have the same ones, those that T.81 gives as examples, and to make them
//! takes a tenth of the time of an image.

use std::{cell::RefCell, rc::Rc};

use crate::{
    JpegError,
    huffman::{Kind, Table},
};

/// How many are kept for each thread, of some twenty kilobytes each.
const MOST: usize = 16;

struct Known {
    kind: Kind,
    counts: [u8; 16],
    symbols: Vec<u8>,
    table: Rc<Table>,
}

thread_local! {
    /// Those that were used last come last.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// The table with so many codes of each length for these symbols.
///
/// # Errors
/// As [`Table::new`].
pub(crate) fn known(kind: Kind, counts: &[u8; 16], symbols: &[u8]) -> Result<Rc<Table>, JpegError> {
    KNOWN.with_borrow_mut(|tables| {
        let is_it = |known: &Known| known.kind == kind && known.counts == *counts && known.symbols == symbols;
        if let Some(at) = tables.iter().rposition(is_it) {
            tables[at..].rotate_left(1);
        } else {
            let table = Rc::new(Table::new(kind, counts, symbols)?);
            if tables.len() == MOST {
                tables.remove(0);
            }
            tables.push(Known { kind, counts: *counts, symbols: symbols.into(), table });
        }
        Ok(Rc::clone(&tables.last().expect("one was found or pushed").table))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of one code, for this symbol.
    fn table(symbol: u8) -> Rc<Table> {
        let mut counts = [0; 16];
        counts[0] = 1;
        known(Kind::Ac, &counts, &[symbol]).unwrap()
    }

    #[test]
    fn a_table_is_made_again_when_many_others_were_used_since() {
        let first = table(1);
        for symbol in 2..=16 {
            table(symbol % 10);
            assert!(Rc::ptr_eq(&table(1), &first), "it was used a moment ago");
        }
        let numbers = (0..16_u8).map(|number| number << 4 | 2);
        for symbol in numbers {
            table(symbol);
        }
        let again = table(1);
        assert!(!Rc::ptr_eq(&again, &first), "sixteen others were used since");
        assert!(Rc::ptr_eq(&table(1), &again));
    }

    #[test]
    fn what_is_no_table_is_not_kept() {
        let counts = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(known(Kind::Dc, &counts, &[0, 1, 2]).is_err());
        assert!(known(Kind::Dc, &counts, &[0, 1, 2]).is_err());
    }
}
