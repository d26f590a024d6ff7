//! From a scan's bits to pixels.

use std::{rc::Rc, slice::ChunksMut};

use pulp::{Arch, Simd, WithSimd};

use crate::{
    Jpeg, JpegError,
    bits::{Bits, Segments},
    color,
    header::{Component, ZIGZAG},
    huffman::{END, Looks, Table},
    transform::Transform,
};

/// Coefficients of a block, which has eight rows and columns.
pub(crate) const BLOCK: usize = 64;

/// What of an image's size is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// All of it.
    Whole,
    /// A half of its columns and rows.
    Half,
    /// A quarter.
    Quarter,
    /// An eighth: a pixel for each block.
    Eighth,
}

impl Reduction {
    /// Columns and rows that a block of eight has then.
    fn side(self) -> usize {
        match self {
            Self::Whole => 8,
            Self::Half => 4,
            Self::Quarter => 2,
            Self::Eighth => 1,
        }
    }
}

/// A decoded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Rows from the top, pixels from the left, red, green and blue of each.
    pub pixels: Vec<u8>,
}

impl Jpeg<'_> {
    /// Decodes the image. Reduced, it has as many columns and rows as that fraction gives, rounded up, and colours stay as
    /// much coarser than light as the camera wrote them.
    ///
    /// # Errors
    /// [`JpegError::CutOff`] where nothing marks the end of the image, and [`JpegError::Damaged`] where its bits make no
    /// image.
    pub fn decode(&self, reduction: Reduction) -> Result<Rgb, JpegError> {
        let (columns, rows) = self.size();
        let side = reduction.side();
        let (across, down) = self.components[0].blocks;
        let units = (columns.div_ceil(8 * across as u32), rows.div_ceil(8 * down as u32));
        let reduced = |length: u32| (length as usize * side).div_ceil(8);
        let (width, height) = (reduced(columns), reduced(rows));

        let planes: Vec<Plane<'_>> = self
            .components
            .iter()
            .map(|component| Plane::new(self, component, side, (across, down), units.0 as usize))
            .collect();
        let segments = Segments::new(self.scan)?;
        let mut pixels = vec![0; width * height * 3];
        // Compiled for each generation of processors; which this is turns out here.
        Arch::new().dispatch(Strips {
            units: units.0 as usize,
            reading: Units { jpeg: self, bits: Bits::EMPTY, readers: segments.readers(), left: 0 },
            planes,
            width,
            strips: pixels.chunks_mut(down * side * width * 3),
        })?;
        Ok(Rgb { width: width as u32, height: height as u32, pixels })
    }
}

/// An image in strips, each as high as a unit.
struct Strips<'a, R> {
    /// In a strip.
    units: usize,
    reading: Units<'a, R>,
    planes: Vec<Plane<'a>>,
    /// Pixels in a row.
    width: usize,
    strips: ChunksMut<'a, u8>,
}

impl<'a, R: Iterator<Item = Bits<'a>>> WithSimd for Strips<'a, R> {
    type Output = Result<(), JpegError>;

    /// Decodes them all.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> Self::Output {
        for strip in self.strips {
            for unit in 0..self.units {
                self.reading.read(unit, &mut self.planes)?;
            }
            self.reading.check()?;
            let color = self.reading.jpeg.color;
            for (y, row) in strip.chunks_exact_mut(self.width * 3).enumerate() {
                match self.planes.as_slice() {
                    [a, b, c] => color::write(color, [a.row(y), b.row(y), c.row(y)], row),
                    grey => color::write(color, [grey[0].row(y); 3], row),
                }
            }
        }
        Ok(())
    }
}

/// One component of as many rows as a row of units has.
struct Plane<'a> {
    written: Blocks<'a>,
    /// Blocks in a unit, across and down.
    blocks: (usize, usize),
    transform: Transform,
    /// The mean of the block before.
    mean: i32,
    /// The coefficients of the block that is read, in rows of eight.
    block: [i16; PLACES],
    samples: Vec<f32>,
    stride: usize,
}

impl<'a> Plane<'a> {
    fn new(
        jpeg: &'a Jpeg<'_>,
        component: &Component,
        side: usize,
        most: (usize, usize),
        units: usize,
    ) -> Self {
        // What is coarser is computed as much larger, so that nothing has to be stretched.
        let size = (side * most.0 / component.blocks.0, side * most.1 / component.blocks.1);
        let stride = (units * component.blocks.0 * size.0).next_multiple_of(color::RUN);
        let table = |tables: &'a [Option<Rc<Table>>; 4], number: usize| {
            tables[number].as_deref().expect("the header was checked to have it")
        };
        Self {
            written: Blocks::new(table(&jpeg.dc, component.dc), table(&jpeg.ac, component.ac), side),
            blocks: component.blocks,
            transform: Transform::new(side, size, &component.steps),
            mean: 0,
            block: [0; PLACES],
            samples: vec![0.0; stride * component.blocks.1 * size.1],
            stride,
        }
    }

    fn row(&self, y: usize) -> &[f32] {
        &self.samples[y * self.stride..][..self.stride]
    }

    /// Reads what a unit of the scan has of this component.
    #[inline(always)]
    fn read(&mut self, unit: usize, bits: &mut Bits<'_>) -> Result<(), JpegError> {
        let (width, height) = self.transform.size();
        for down in 0..self.blocks.1 {
            for across in 0..self.blocks.0 {
                self.written.read(bits, &mut self.mean, &mut self.block)?;
                let start = down * height * self.stride + (unit * self.blocks.0 + across) * width;
                self.transform.invert(&self.block, &mut self.samples[start..], self.stride);
            }
        }
        Ok(())
    }
}

/// The units of a scan, one after the other.
struct Units<'a, R> {
    jpeg: &'a Jpeg<'a>,
    bits: Bits<'a>,
    readers: R,
    /// Units up to the next restart.
    left: usize,
}

impl<'a, R: Iterator<Item = Bits<'a>>> Units<'a, R> {
    #[inline(always)]
    fn read(&mut self, unit: usize, planes: &mut [Plane<'_>]) -> Result<(), JpegError> {
        if self.left == 0 {
            self.check()?;
            self.bits = self.readers.next().ok_or(JpegError::Damaged("a part of its scan is missing"))?;
            planes.iter_mut().for_each(|plane| plane.mean = 0);
            self.left = match self.jpeg.restart_interval {
                0 => usize::MAX,
                interval => interval,
            };
        }
        self.left -= 1;
        for plane in planes {
            plane.read(unit, &mut self.bits)?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), JpegError> {
        if self.bits.are_overrun() {
            return Err(JpegError::Damaged("its scan is shorter than its image"));
        }
        Ok(())
    }
}

/// Room for a block and for what is written past its end, which nobody reads. A run leads no farther.
pub(crate) const PLACES: usize = 2 * END as usize;

/// Where a number goes that is so many places from the beginning of its block.
const PLACE: [u8; PLACES] = {
    let mut places = [BLOCK as u8; PLACES];
    let mut at = 0;
    while at < BLOCK {
        places[at] = ZIGZAG[at];
        at += 1;
    }
    places
};

#[inline(always)]
fn place(at: usize) -> usize {
    PLACE[at % PLACES].into()
}

/// How a component's blocks are written, and what of them is asked for.
struct Blocks<'a> {
    dc: &'a Table,
    ac: &'a Table,
    looks: &'a Looks,
    /// Coefficients from this place on are passed over.
    needed: usize,
}

impl<'a> Blocks<'a> {
    /// Of blocks of which the coarsest so many waves are needed in each direction.
    fn new(dc: &'a Table, ac: &'a Table, waves: usize) -> Self {
        let is_needed = |place: &u8| usize::from(place % 8) < waves && usize::from(place / 8) < waves;
        let needed = ZIGZAG.iter().rposition(is_needed).expect("the mean is always needed") + 1;
        Self { dc, ac, looks: ac.looks(), needed }
    }

    /// Reads a block's coefficients, in rows of eight.
    #[inline(always)]
    fn read(&self, from: &mut Bits<'_>, mean: &mut i32, block: &mut [i16; PLACES]) -> Result<(), JpegError> {
        let mut bits = *from;
        block[..BLOCK].fill(0);
        bits.refill();
        let entry = self.dc.entry(bits.ready())?;
        bits.skip(entry.bits.into());
        *mean = mean.wrapping_add(entry.number.into());
        block[0] = *mean as i16;

        // Two codes with their numbers, of 26 bits at most, are always ready.
        let mut at = 1;
        while at < self.needed {
            bits.refill();
            for _ in 0..2 {
                let pair = self.looks.pairs.pair(bits.ready());
                if BLOCK <= at + pair.reach() {
                    let entry = self.ac.entry(bits.ready())?;
                    bits.skip(entry.bits.into());
                    at += usize::from(entry.run);
                    block[place(at)] = entry.number;
                    at += 1;
                } else {
                    bits.skip(pair.bits());
                    block[place(at + pair.run())] = pair.first();
                    at += pair.places();
                    block[place(at - 1)] = pair.last();
                }
                if self.needed <= at {
                    break;
                }
            }
        }
        at = self.pass_over(&mut bits, at)?;
        *from = bits;
        if BLOCK < at && at <= END.into() {
            return Err(JpegError::Damaged("a block has too many coefficients"));
        }
        Ok(())
    }

    /// Passes over what is left of a block from a place on, and says where that ended.
    #[inline(always)]
    fn pass_over(&self, bits: &mut Bits<'_>, mut at: usize) -> Result<usize, JpegError> {
        while at < BLOCK {
            bits.refill();
            for _ in 0..2 {
                let skip = self.looks.skips.skip(bits.ready());
                if BLOCK <= at + skip.reach() {
                    let entry = self.ac.entry(bits.ready())?;
                    bits.skip(entry.bits.into());
                    at += usize::from(entry.run) + 1;
                } else {
                    bits.skip(skip.bits());
                    at += skip.places();
                }
                if BLOCK <= at {
                    break;
                }
            }
        }
        Ok(at)
    }
}
