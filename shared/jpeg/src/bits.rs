//! The bits of a scan.

use memchr::memchr;

use crate::JpegError;

/// A reader looks at so many bytes at once; so many zeros follow what is coded.
const AHEAD: usize = 8;

/// A scan's coded bytes, without those that keep them from looking like markers, cut at the restart markers.
#[derive(Debug)]
pub(crate) struct Segments {
    bytes: Vec<u8>,
    /// Where each begins and ends.
    bounds: Vec<(usize, usize)>,
}

impl Segments {
    /// Reads up to the first marker that is not a restart.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn new(mut scan: &[u8]) -> Result<Self, JpegError> {
        let mut bytes = Vec::with_capacity(scan.len() + AHEAD);
        let mut bounds = Vec::new();
        let mut begin = 0;
        loop {
            let at = memchr(0xff, scan).ok_or(JpegError::CutOff)?;
            bytes.extend_from_slice(&scan[..at]);
            let next = *scan.get(at + 1).ok_or(JpegError::CutOff)?;
            scan = &scan[at + 1..];
            match next {
                0x00 => {
                    bytes.push(0xff);
                    scan = &scan[1..];
                }
                // Bytes of 0xff may stand before a marker.
                0xff => {}
                marker => {
                    bounds.push((begin, bytes.len()));
                    bytes.extend_from_slice(&[0; AHEAD]);
                    begin = bytes.len();
                    if !(0xd0..=0xd7).contains(&marker) {
                        return Ok(Self { bytes, bounds });
                    }
                    scan = &scan[1..];
                }
            }
        }
    }

    /// Readers of each.
    pub(crate) fn readers(&self) -> impl Iterator<Item = Bits<'_>> {
        self.bounds.iter().map(|&(begin, end)| Bits { bytes: &self.bytes[begin..end + AHEAD], ..Bits::EMPTY })
    }
}

/// A reader of bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bits<'a> {
    /// The bytes that are read, and zeros after them.
    bytes: &'a [u8],
    /// Of the next byte that has not been made ready in full.
    position: usize,
    /// The next bits, from the top.
    ready: u64,
    /// How many of them are.
    count: u32,
}

impl Bits<'_> {
    /// Of nothing.
    pub(crate) const EMPTY: Self = Self { bytes: &[0; AHEAD], position: 0, ready: 0, count: 0 };

    /// Makes at least 56 bits ready; zeros where none are left.
    #[inline(always)]
    pub(crate) fn refill(&mut self) {
        let ahead = self.bytes.get(self.position..).and_then(<[u8]>::first_chunk::<AHEAD>);
        self.ready |= ahead.map_or(0, |bytes| u64::from_be_bytes(*bytes)) >> self.count;
        self.position += (63 - self.count as usize) / 8;
        self.count |= 56;
    }

    /// The next bits, from the top.
    #[inline(always)]
    pub(crate) fn ready(&self) -> u64 {
        self.ready
    }

    /// Passes over bits that are ready; of their count, the lowest six bits are meant.
    #[inline(always)]
    pub(crate) fn skip(&mut self, count: u32) {
        self.ready <<= count & 63;
        self.count -= count & 63;
    }

    /// Whether more bits were passed over than there are.
    pub(crate) fn are_overrun(&self) -> bool {
        8 * (self.bytes.len() - AHEAD) < 8 * self.position - self.count as usize
    }
}
