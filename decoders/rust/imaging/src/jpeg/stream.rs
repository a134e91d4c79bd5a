//! A JPEG stream's headers, and putting tables and image together.

use fuse_core::{Error, Result};

/// Coding process of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    Sequential,
    Progressive,
    Lossless,
    Arithmetic,
}

/// A stream with what its frame header says.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Everything between SOI and EOI without Adobe markers: tables, headers, scans.
    pub body: Vec<u8>,
    pub process: Process,
    pub precision: u8,
    pub width: usize,
    pub height: usize,
    pub components: usize,
    /// True when a JFIF marker was seen in the image's own stream.
    pub jfif: bool,
    /// Transform of an Adobe marker: 0 none, 1 YCbCr, 2 YCCK.
    pub adobe: Option<u8>,
    /// True when the stream has its end marker.
    pub ended: bool,
    /// Where the payload of the frame header lies in `body`.
    frame_at: usize,
}

/// One marker segment: its code and payload.
struct Segment<'a> {
    code: u8,
    /// The whole segment with its marker and length.
    whole: &'a [u8],
    payload: &'a [u8],
}

/// Walks the marker segments up to the first scan; gives them and what follows.
fn segments(data: &[u8]) -> Result<(Vec<Segment<'_>>, &[u8])> {
    let mut at = 0;
    let mut found = Vec::new();
    while at + 2 <= data.len() {
        if data[at] != 0xff {
            return Err(Error::corrupt("a JPEG marker was expected").at(at));
        }
        let code = data[at + 1];
        match code {
            0xff => at += 1,
            0xd8 | 0x01 | 0xd0..=0xd7 => at += 2,
            0xd9 => return Ok((found, &data[at..])),
            _ => {
                let length = match data.get(at + 2..at + 4) {
                    Some([a, b]) => usize::from(*a) << 8 | usize::from(*b),
                    _ => return Err(Error::truncated("the JPEG headers end too early").at(at)),
                };
                let end = at + 2 + length;
                if length < 2 || end > data.len() {
                    return Err(Error::truncated("a JPEG marker segment is cut off").at(at));
                }
                if code == 0xda {
                    return Ok((found, &data[at..]));
                }
                found.push(Segment {
                    code,
                    whole: &data[at..end],
                    payload: &data[at + 4..end],
                });
                at = end;
            }
        }
    }
    Ok((found, &[]))
}

impl Stream {
    /// Puts an abbreviated stream of tables before an image's own stream.
    pub fn splice(tables: &[u8], image: &[u8]) -> Result<Stream> {
        let mut stream = Stream {
            body: Vec::with_capacity(tables.len() + image.len() + 16),
            process: Process::Sequential,
            precision: 0,
            width: 0,
            height: 0,
            components: 0,
            jfif: false,
            adobe: None,
            ended: image[image.len().saturating_sub(64)..]
                .windows(2)
                .any(|w| w == [0xff, 0xd9]),
            frame_at: 0,
        };
        if !tables.is_empty() {
            let (found, _) = segments(tables)?;
            for segment in &found {
                stream.take(segment)?;
            }
            stream.jfif = false;
        }
        let (found, scans) = segments(image)?;
        for segment in &found {
            stream.take(segment)?;
        }
        if stream.components == 0 {
            return Err(Error::corrupt("the JPEG stream has no frame header"));
        }
        if scans.first_chunk() != Some(&[0xff, 0xda]) {
            return Err(Error::truncated("the JPEG stream has no scan"));
        }
        stream.body.extend_from_slice(scans);
        Ok(stream)
    }

    fn take(&mut self, segment: &Segment) -> Result<()> {
        match segment.code {
            0xee if segment.payload.starts_with(b"Adobe") => {
                self.adobe = segment.payload.get(11).copied().filter(|t| *t <= 2);
                return Ok(());
            }
            0xe0 => self.jfif |= segment.payload.starts_with(b"JFIF\0"),
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => self.frame(segment)?,
            // Other application data and comments are of no use to a decoder.
            0xe1..=0xef | 0xfe => return Ok(()),
            _ => {}
        }
        self.body.extend_from_slice(segment.whole);
        Ok(())
    }

    /// States another height, for strips whose header was made for the tallest of them.
    pub fn set_height(&mut self, height: usize) {
        self.height = height;
        if let Some(field) = self.body.get_mut(self.frame_at + 1..self.frame_at + 3) {
            field.copy_from_slice(&(height as u16).to_be_bytes());
        }
    }

    fn frame(&mut self, segment: &Segment) -> Result<()> {
        self.frame_at = self.body.len() + 4;
        self.process = match segment.code {
            0xc0 | 0xc1 => Process::Sequential,
            0xc2 => Process::Progressive,
            0xc3 => Process::Lossless,
            0xc9..=0xcb | 0xcd..=0xcf => Process::Arithmetic,
            _ => return Err(Error::unsupported("hierarchical JPEG")),
        };
        let [precision, h1, h0, w1, w0, components, ..] = *segment.payload else {
            return Err(Error::corrupt("the JPEG frame header is too short"));
        };
        self.precision = precision;
        self.height = usize::from(h1) << 8 | usize::from(h0);
        self.width = usize::from(w1) << 8 | usize::from(w0);
        self.components = usize::from(components);
        if self.width == 0 || self.height == 0 || self.components == 0 {
            return Err(Error::corrupt(
                "the JPEG frame header states an empty image",
            ));
        }
        Ok(())
    }

    /// The whole stream, with an Adobe marker that states the colour transform.
    pub fn with_transform(&self, transform: Option<u8>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 20);
        out.extend_from_slice(&[0xff, 0xd8]);
        if let Some(transform) = transform {
            out.extend_from_slice(&[0xff, 0xee, 0, 14]);
            out.extend_from_slice(b"Adobe\0\x64\0\0\0\0");
            out.push(transform);
        }
        out.extend_from_slice(&self.body);
        if !self.ended {
            out.extend_from_slice(&[0xff, 0xd9]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &[u8] = &[0xff, 0xd8, 0xff, 0xdb, 0, 4, 1, 2, 0xff, 0xd9];
    const IMAGE: &[u8] = &[
        0xff, 0xd8, 0xff, 0xe0, 0, 7, b'J', b'F', b'I', b'F', 0, 0xff, 0xee, 0, 14, b'A', b'd',
        b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, 1, 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 32, 1, 1, 0x11, 0,
        0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0xaa, 0xff, 0xd9,
    ];

    #[test]
    fn puts_tables_before_the_image() {
        let stream = Stream::splice(TABLES, IMAGE).unwrap();
        assert_eq!(
            (stream.width, stream.height, stream.components),
            (32, 16, 1)
        );
        assert_eq!(
            (stream.adobe, stream.jfif, stream.ended),
            (Some(1), true, true)
        );
        assert!(stream
            .body
            .starts_with(&[0xff, 0xdb, 0, 4, 1, 2, 0xff, 0xe0]));
        let plain = stream.with_transform(Some(0));
        assert_eq!(plain[..6], [0xff, 0xd8, 0xff, 0xee, 0, 14]);
        assert_eq!(plain[17], 0);
        let mut shorter = stream.clone();
        shorter.set_height(3);
        let again = Stream::splice(&[], &shorter.with_transform(None)).unwrap();
        assert_eq!((again.width, again.height), (32, 3));
    }

    #[test]
    fn refuses_streams_without_a_frame_or_a_scan() {
        assert!(Stream::splice(&[], TABLES).is_err());
        assert!(Stream::splice(&[], &IMAGE[..30]).is_err());
        assert!(Stream::splice(&[], &IMAGE[..40]).is_err());
        assert!(Stream::splice(&[], b"no jpeg").is_err());
        assert!(Stream::splice(&[], &[]).is_err());
    }
}
