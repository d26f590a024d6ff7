//! What stands in a file before the first pixel.

use std::rc::Rc;

use memchr::memchr;

use crate::{
    JpegError,
    huffman::{Kind, Table},
    scan::BLOCK,
    tables,
};

/// What markers are called in T.81, table B.1.
mod marker {
    pub(super) const SOF0: u8 = 0xc0;
    pub(super) const SOF1: u8 = 0xc1;
    pub(super) const SOF2: u8 = 0xc2;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const JPG: u8 = 0xc8;
    pub(super) const SOF15: u8 = 0xcf;
    pub(super) const RST0: u8 = 0xd0;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
    pub(super) const DQT: u8 = 0xdb;
    pub(super) const DRI: u8 = 0xdd;
    pub(super) const APP0: u8 = 0xe0;
    pub(super) const APP1: u8 = 0xe1;
    pub(super) const APP14: u8 = 0xee;
    pub(super) const TEM: u8 = 0x01;
}

/// The order in which a block's coefficients are written: where each is found in rows of eight (T.81, figure A.6).
pub(crate) const ZIGZAG: [u8; BLOCK] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// How three components make a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColorSpace {
    Grey,
    YCbCr,
    Rgb,
}

/// One of the components that a colour is made of.
#[derive(Debug)]
pub(crate) struct Component {
    id: u8,
    /// Blocks in a unit of the scan (MCU), across and down.
    pub(crate) blocks: (usize, usize),
    /// The steps that coefficients are counted in, in rows of eight.
    pub(crate) steps: [f32; BLOCK],
    quantisation: u8,
    /// Which Huffman tables its numbers are written with.
    pub(crate) dc: usize,
    pub(crate) ac: usize,
}

/// A baseline JPEG whose header has been read.
#[derive(Debug)]
pub struct Jpeg<'a> {
    width: u32,
    height: u32,
    exif: Option<&'a [u8]>,
    pub(crate) color: ColorSpace,
    pub(crate) components: Vec<Component>,
    pub(crate) dc: [Option<Rc<Table>>; 4],
    pub(crate) ac: [Option<Rc<Table>>; 4],
    /// Units of the scan between two restart markers; 0 where there are none.
    pub(crate) restart_interval: usize,
    /// From the first coded bit to the end of the file.
    pub(crate) scan: &'a [u8],
}

impl<'a> Jpeg<'a> {
    /// Reads what stands before the first pixel. Nothing is decoded yet.
    ///
    /// # Errors
    /// [`JpegError::Unsupported`] for what is not baseline with eight bits, or has other components than grey, RGB or
    /// `YCbCr`, or more scans than one; [`JpegError::CutOff`] where such a file has no end, or any has none before its
    /// pixels; else what is wrong.
    pub fn open(bytes: &'a [u8]) -> Result<Self, JpegError> {
        match Header::default().read(bytes) {
            Err(JpegError::Unsupported(_)) if !has_end(bytes) => Err(JpegError::CutOff),
            result => result,
        }
    }

    /// Columns and rows of the image as the camera's sensor was read.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The EXIF data, which say among other things how the camera was held.
    pub fn exif(&self) -> Option<&'a [u8]> {
        self.exif
    }
}

/// Whether the image's end is marked, whatever kind of JPEG it is.
fn has_end(bytes: &[u8]) -> bool {
    let mut file = Bytes::of_file(bytes);
    loop {
        match file.segment() {
            Ok((marker::EOI, _)) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// What has been read of a header so far.
#[derive(Default)]
struct Header<'a> {
    size: Option<(u32, u32)>,
    exif: Option<&'a [u8]>,
    is_jfif: bool,
    /// What Adobe's marker says of colours.
    adobe: Option<u8>,
    components: Vec<Component>,
    quantisation: [Option<[f32; BLOCK]>; 4],
    dc: [Option<Rc<Table>>; 4],
    ac: [Option<Rc<Table>>; 4],
    restart_interval: usize,
}

impl<'a> Header<'a> {
    fn read(mut self, bytes: &'a [u8]) -> Result<Jpeg<'a>, JpegError> {
        let mut file = Bytes::of_file(bytes);
        if file.take(2)? != [0xff, marker::SOI] {
            return Err(JpegError::Damaged("it does not begin as a JPEG does"));
        }
        loop {
            let (marker, mut segment) = file.segment()?;
            match marker {
                marker::SOF0 | marker::SOF1 => self.frame(segment)?,
                marker::SOF2 => return Err(JpegError::Unsupported("a progressive JPEG")),
                marker::DHT => self.huffman(segment)?,
                marker::JPG..=marker::SOF15 | 0xc3..marker::JPG => {
                    return Err(JpegError::Unsupported("a lossless, hierarchical or arithmetic JPEG"));
                }
                marker::EOI => return Err(JpegError::Damaged("there is no image in it")),
                marker::SOS => return self.begin(segment, file.rest),
                marker::DQT => self.quantise(segment)?,
                marker::DRI => self.restart_interval = segment.u16()?.into(),
                marker::APP0 => self.is_jfif |= segment.rest.starts_with(b"JFIF\0"),
                marker::APP1 => self.exif = self.exif.or(segment.rest.strip_prefix(b"Exif\0\0")),
                marker::APP14 if segment.rest.starts_with(b"Adobe") => {
                    self.adobe = segment.rest.get(11).copied();
                }
                _ => {}
            }
        }
    }

    fn frame(&mut self, mut segment: Bytes<'_>) -> Result<(), JpegError> {
        if self.size.is_some() {
            return Err(JpegError::Damaged("it has two frames"));
        }
        if segment.u8()? != 8 {
            return Err(JpegError::Unsupported("a JPEG of more than eight bits"));
        }
        let (height, width) = (segment.u16()?, segment.u16()?);
        if height == 0 {
            return Err(JpegError::Unsupported("a JPEG that tells its height at its end"));
        }
        if width == 0 {
            return Err(JpegError::Damaged("it has no columns"));
        }
        self.size = Some((width.into(), height.into()));
        for _ in 0..segment.u8()? {
            let (id, sampling, quantisation) = (segment.u8()?, segment.u8()?, segment.u8()?);
            self.components.push(Component {
                id,
                blocks: (usize::from(sampling >> 4), usize::from(sampling & 15)),
                steps: [0.0; BLOCK],
                quantisation,
                dc: 0,
                ac: 0,
            });
        }
        match self.components.as_mut_slice() {
            // Alone, a component comes block by block, whatever it says of others.
            [grey] => grey.blocks = (1, 1),
            [luma, chroma @ ..] if chroma.len() == 2 => {
                let is_usual = |blocks| (1..=2).contains(&blocks);
                if !is_usual(luma.blocks.0)
                    || !is_usual(luma.blocks.1)
                    || chroma.iter().any(|c| c.blocks != (1, 1))
                {
                    return Err(JpegError::Unsupported("a JPEG with this sampling of colours"));
                }
            }
            _ => return Err(JpegError::Unsupported("a JPEG of neither one nor three components")),
        }
        Ok(())
    }

    fn quantise(&mut self, mut segment: Bytes<'_>) -> Result<(), JpegError> {
        while !segment.rest.is_empty() {
            let (wide, number) = segment.nibbles()?;
            let mut steps = [0.0; BLOCK];
            for place in ZIGZAG {
                let step = if wide == 0 { segment.u8()?.into() } else { segment.u16()? };
                steps[usize::from(place)] = step.into();
            }
            *entry(&mut self.quantisation, number)? = Some(steps);
        }
        Ok(())
    }

    fn huffman(&mut self, mut segment: Bytes<'_>) -> Result<(), JpegError> {
        while !segment.rest.is_empty() {
            let (class, number) = segment.nibbles()?;
            let counts: [u8; 16] = *segment.take(16)?.first_chunk().expect("so many were taken");
            let symbols = segment.take(counts.iter().map(|&count| usize::from(count)).sum())?;
            let (tables, kind) = if class == 0 { (&mut self.dc, Kind::Dc) } else { (&mut self.ac, Kind::Ac) };
            *entry(tables, number)? = Some(tables::known(kind, &counts, symbols)?);
        }
        Ok(())
    }

    /// The header ends where the scan begins.
    fn begin(mut self, mut segment: Bytes<'_>, scan: &'a [u8]) -> Result<Jpeg<'a>, JpegError> {
        let (width, height) = self.size.ok_or(JpegError::Damaged("its pixels come before its size"))?;
        if usize::from(segment.u8()?) != self.components.len() {
            return Err(JpegError::Unsupported("a JPEG of several scans"));
        }
        for component in &mut self.components {
            let id = segment.u8()?;
            let (dc, ac) = segment.nibbles()?;
            (component.dc, component.ac) = (dc.into(), ac.into());
            let are_there = self.dc.get(component.dc).is_some_and(Option::is_some)
                && self.ac.get(component.ac).is_some_and(Option::is_some);
            if id != component.id || !are_there {
                return Err(JpegError::Damaged("its scan names what is not there"));
            }
            let steps = self.quantisation.get(usize::from(component.quantisation));
            component.steps =
                steps.copied().flatten().ok_or(JpegError::Damaged("a quantisation table is missing"))?;
        }
        let color = match (self.components.as_slice(), self.adobe) {
            ([_], _) => ColorSpace::Grey,
            (_, Some(0)) => ColorSpace::Rgb,
            (_, Some(_)) => ColorSpace::YCbCr,
            ([r, g, b], None) if !self.is_jfif && [r.id, g.id, b.id] == *b"RGB" => ColorSpace::Rgb,
            _ => ColorSpace::YCbCr,
        };
        Ok(Jpeg {
            width,
            height,
            exif: self.exif,
            color,
            components: self.components,
            dc: self.dc,
            ac: self.ac,
            restart_interval: self.restart_interval,
            scan,
        })
    }
}

fn entry<T>(tables: &mut [T; 4], number: u8) -> Result<&mut T, JpegError> {
    tables.get_mut(usize::from(number)).ok_or(JpegError::Damaged("it has more than four tables of a kind"))
}

/// What is left to read, and what it means when there is less than that.
struct Bytes<'a> {
    rest: &'a [u8],
    short: JpegError,
}

impl<'a> Bytes<'a> {
    fn of_file(rest: &'a [u8]) -> Self {
        Self { rest, short: JpegError::CutOff }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], JpegError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, JpegError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, JpegError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// The upper and the lower half of a byte.
    fn nibbles(&mut self) -> Result<(u8, u8), JpegError> {
        let byte = self.u8()?;
        Ok((byte >> 4, byte & 15))
    }

    /// The next marker with what belongs to it. What stands before it is passed over, as other decoders do: pixels, and
    /// markers between them.
    fn segment(&mut self) -> Result<(u8, Self), JpegError> {
        let marker = loop {
            self.take(memchr(0xff, self.rest).ok_or(self.short)? + 1)?;
            while self.rest.first() == Some(&0xff) {
                self.take(1)?;
            }
            match self.u8()? {
                0 | marker::TEM | marker::RST0..=marker::SOI => {}
                marker => break marker,
            }
        };
        let length = if marker == marker::EOI { 2 } else { self.u16()? };
        let length = length.checked_sub(2).ok_or(JpegError::Damaged("a segment has no length"))?;
        let short = JpegError::Damaged("a segment is shorter than it says");
        Ok((marker, Self { rest: self.take(length.into())?, short }))
    }
}
