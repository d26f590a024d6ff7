//! Huffman codes (T.81, annexes C and F.2.2.3) and what is done when one is met.

use std::cell::OnceCell;

use crate::{JpegError, scan::BLOCK};

/// How many bits are looked at.
const LOOK: u32 = 10;
const LONGEST: u32 = 16;

/// A run that no block has: after it, the block is over.
pub(crate) const END: u8 = 128;

/// Which numbers a table's symbols announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Differences between the means of blocks.
    Dc,
    /// Everything else about a block.
    Ac,
}

/// A code of a table.
#[derive(Debug, Clone, Copy)]
struct Code {
    length: u8,
    /// Bits of the number that follows.
    size: u8,
    /// Zeros before the number.
    run: u8,
}

impl Code {
    /// Stands where a look is not enough.
    const LONG: Self = Self { length: 0, size: 0, run: 0 };

    fn new(kind: Kind, length: u8, symbol: u8) -> Result<Self, JpegError> {
        let (run, size) = match kind {
            Kind::Dc => (0, symbol),
            Kind::Ac => (symbol >> 4, symbol & 15),
        };
        // Eight bits of colour need no larger numbers.
        let largest = if kind == Kind::Dc { 11 } else { 10 };
        if largest < size {
            return Err(JpegError::Damaged("a coefficient is larger than it can be"));
        }
        let run = if kind == Kind::Ac && size == 0 && run != 15 { END } else { run };
        Ok(Self { length, size, run })
    }

    /// What it says at the beginning of these bits (T.81, F.2.2.1).
    #[inline(always)]
    fn entry(self, bits: u64) -> Entry {
        let positive = 1 << self.size;
        // In two steps, because a number may have no bits.
        let number = (bits << self.length >> 1 >> (63 - self.size)) as i32;
        let number = number - if number < positive >> 1 { positive - 1 } else { 0 };
        Entry { bits: self.length + self.size, run: self.run, number: number as i16 }
    }
}

/// What a code and the bits after it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Bits of the code and its number together.
    pub(crate) bits: u8,
    /// Zeros before the number.
    pub(crate) run: u8,
    pub(crate) number: i16,
}

impl Entry {
    /// Up to the number and with it, or [`END`].
    fn places(self) -> u8 {
        if self.run == END { END } else { self.run + 1 }
    }
}

/// The codes of a table.
#[derive(Debug)]
pub(crate) struct Table {
    /// Those that a look is enough for, by the next bits.
    short: [Code; 1 << LOOK],
    /// By length.
    lengths: [Length; LONGEST as usize],
    /// The shortest first.
    codes: Vec<Code>,
    looks: OnceCell<Looks>,
}

/// The codes of one length.
#[derive(Debug, Clone, Copy, Default)]
struct Length {
    /// The first, and its place among all codes.
    first: u32,
    index: usize,
    /// After the last, to the length of the longest.
    end: u32,
}

impl Table {
    /// A table with so many codes of each length, from one bit to sixteen, for these symbols in turn.
    pub(crate) fn new(kind: Kind, counts: &[u8; 16], symbols: &[u8]) -> Result<Self, JpegError> {
        let mut table = Self {
            short: [Code::LONG; 1 << LOOK],
            lengths: Default::default(),
            codes: Vec::with_capacity(symbols.len()),
            looks: OnceCell::new(),
        };
        let mut next = 0_u32;
        let mut symbols = symbols.iter();
        for (length, &count) in (1_u32..).zip(counts) {
            let (first, index) = (next, table.codes.len());
            for &symbol in symbols.by_ref().take(count.into()) {
                if 1 << length <= next {
                    return Err(JpegError::Damaged("a Huffman table has too many codes"));
                }
                let code = Code::new(kind, length as u8, symbol)?;
                if let Some(spare) = LOOK.checked_sub(length) {
                    table.short[(next << spare) as usize..((next + 1) << spare) as usize].fill(code);
                }
                table.codes.push(code);
                next += 1;
            }
            table.lengths[length as usize - 1] = Length { first, index, end: next << (LONGEST - length) };
            next <<= 1;
        }
        Ok(table)
    }

    /// What several codes of it say together, which is found out once.
    pub(crate) fn looks(&self) -> &Looks {
        self.looks.get_or_init(|| Looks { pairs: Pairs::new(self), skips: Skips::new(self) })
    }

    /// What these bits begin with.
    #[inline(always)]
    pub(crate) fn entry(&self, bits: u64) -> Result<Entry, JpegError> {
        let code = self.short[(bits >> (64 - LOOK)) as usize];
        if code.length == 0 { self.long_entry(bits) } else { Ok(code.entry(bits)) }
    }

    /// What these bits begin with, if it takes no more than `most` of them.
    fn within(&self, bits: u64, most: u32) -> Option<Entry> {
        let code = self.short[(bits >> (64 - LOOK)) as usize];
        (code.length != 0 && u32::from(code.length + code.size) <= most).then(|| code.entry(bits))
    }

    #[cold]
    #[inline(never)]
    fn long_entry(&self, bits: u64) -> Result<Entry, JpegError> {
        let next = (bits >> (64 - LONGEST)) as u32;
        let (length, codes) = (1..).zip(&self.lengths).find(|(_, codes)| next < codes.end).ok_or(NO_CODE)?;
        let place = (next >> (LONGEST - length)).checked_sub(codes.first).ok_or(NO_CODE)?;
        let code = self.codes.get(codes.index + place as usize).ok_or(NO_CODE)?;
        Ok(code.entry(bits))
    }
}

/// What one look finds besides single codes, in one word: a word is loaded once, and how many bits it takes, which the
/// next look waits for, stand lowest in it.
///
/// Two codes with their numbers, or one, which then is told twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair(u64);

impl Pair {
    /// Stands where a look is not enough.
    const LONG: Self = Self((BLOCK as u64) << 8);

    fn one(entry: Entry) -> Self {
        Self::new(entry.bits, 0, entry.run, entry.places(), [entry.number; 2])
    }

    fn two(first: Entry, last: Entry) -> Self {
        let places = first.places() + last.places();
        Self::new(first.bits + last.bits, first.places(), first.run, places, [first.number, last.number])
    }

    fn new(bits: u8, reach: u8, run: u8, places: u8, [first, last]: [i16; 2]) -> Self {
        let [f, g] = first.to_le_bytes();
        let [l, m] = last.to_le_bytes();
        Self(u64::from_le_bytes([bits, reach, run, places, f, g, l, m]))
    }

    /// Of all that was read, in the lowest six bits; above them is something else.
    pub(crate) fn bits(self) -> u32 {
        self.0 as u32
    }

    /// Up to the last code; [`BLOCK`] where a look is not enough. If the block ends before that, the last is not its own.
    pub(crate) fn reach(self) -> usize {
        (self.0 >> 8 & 0xff) as usize
    }

    /// Zeros before the first number.
    pub(crate) fn run(self) -> usize {
        (self.0 >> 16 & 0xff) as usize
    }

    /// Up to the last number and with it, and [`END`] more where the block is over then.
    pub(crate) fn places(self) -> usize {
        (self.0 >> 24 & 0xff) as usize
    }

    pub(crate) fn first(self) -> i16 {
        (self.0 >> 32) as i16
    }

    pub(crate) fn last(self) -> i16 {
        (self.0 >> 48) as i16
    }
}

/// What one look at a table's codes finds.
#[derive(Debug)]
pub(crate) struct Looks {
    pub(crate) pairs: Pairs,
    pub(crate) skips: Skips,
}

/// What pair begins, by the next bits.
#[derive(Debug)]
pub(crate) struct Pairs([Pair; 1 << LOOK]);

impl Pairs {
    fn new(table: &Table) -> Self {
        Self(std::array::from_fn(|next| {
            let bits = (next as u64) << (64 - LOOK);
            let Some(first) = table.within(bits, LOOK) else { return Pair::LONG };
            let is_end = first.run == END;
            let last = (!is_end).then(|| table.within(bits << first.bits, LOOK - u32::from(first.bits)));
            last.flatten().map_or(Pair::one(first), |last| Pair::two(first, last))
        }))
    }

    /// What these bits begin with.
    #[inline(always)]
    pub(crate) fn pair(&self, bits: u64) -> Pair {
        self.0[(bits >> (64 - LOOK)) as usize]
    }
}

/// Several codes that are passed over together, because nobody asks for their numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Skip(u32);

impl Skip {
    /// Of all of them, in the lowest six bits; above them is something else.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// Up to the last of them; [`BLOCK`] where a look is not enough. If the block ends before that, the last is not its own.
    pub(crate) fn reach(self) -> usize {
        (self.0 >> 8 & 0xff) as usize
    }

    /// How many coefficients they are, and [`END`] more where the block is over after them.
    pub(crate) fn places(self) -> usize {
        (self.0 >> 16) as usize
    }
}

/// What can be passed over at once, by the next bits.
#[derive(Debug)]
pub(crate) struct Skips([Skip; 1 << LOOK]);

impl Skips {
    fn new(table: &Table) -> Self {
        Self(std::array::from_fn(|next| {
            let (mut bits, mut reach, mut places) = (0_u8, BLOCK as u8, 0_u8);
            while places < BLOCK as u8
                && let Some(entry) =
                    table.within((next as u64) << (64 - LOOK) << bits, LOOK - u32::from(bits))
            {
                (bits, reach, places) = (bits + entry.bits, places, places + entry.places());
            }
            Skip(u32::from_le_bytes([bits, reach, places, 0]))
        }))
    }

    /// What these bits begin with.
    #[inline(always)]
    pub(crate) fn skip(&self, bits: u64) -> Skip {
        self.0[(bits >> (64 - LOOK)) as usize]
    }
}

const NO_CODE: JpegError = JpegError::Damaged("its bits are no code");

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with these codes, most of them long.
    fn table(symbols: &[u8]) -> Result<Table, JpegError> {
        let mut counts = [0; 16];
        (counts[1], counts[11], counts[15]) = (1, 2, symbols.len() as u8 - 3);
        Table::new(Kind::Ac, &counts, symbols)
    }

    #[test]
    fn codes_of_every_length_are_found_with_their_numbers() {
        let table = table(&[0x01, 0x23, 0xf0, 0x00, 0x0a]).unwrap();
        // Of two bits: no zeros, one bit, which is set.
        let entry = table.entry(0b001 << 61).unwrap();
        assert_eq!((entry.bits, entry.run, entry.number), (3, 0, 1));
        // Of twelve: the first after all of two bits is 01 and zeros. Two zeros, and of three bits the number.
        for (number, bits) in [(5, 0b101_u64), (-5, 0b010), (-7, 0)] {
            let bits = 0b0100_0000_0000 << 52 | bits << 49;
            let entry = table.entry(bits).unwrap();
            assert_eq!((entry.bits, entry.run, entry.number), (15, 2, number));
        }
        // The next is sixteen zeros, which are fifteen and a number of no bits.
        let entry = table.entry(0b0100_0000_0001 << 52).unwrap();
        assert_eq!((entry.bits, entry.run, entry.number), (12, 15, 0));
        // Of sixteen: the end, and ten bits.
        let entry = table.entry(0b0100_0000_0010_0000 << 48).unwrap();
        assert_eq!((entry.bits, entry.run), (16, END));
        let bits = 0b0100_0000_0010_0001 << 48 | 1023 << 38;
        let entry = table.entry(bits).unwrap();
        assert_eq!((entry.bits, entry.run, entry.number), (26, 0, 1023));
        assert_eq!(table.entry(u64::MAX).unwrap_err(), NO_CODE);
    }

    #[test]
    fn impossible_tables_are_refused() {
        assert!(Table::new(Kind::Dc, &[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0, 1, 2]).is_err());
        assert!(table(&[0x01, 0x0b, 0x02]).is_err(), "no number has eleven bits");
    }
}
