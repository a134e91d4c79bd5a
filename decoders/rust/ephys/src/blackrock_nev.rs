//! Blackrock NEV data packets (File Specification 2.1, 2.2, 2.3 and 3.0, section 3) into columns.
//!
//! The host hands over a run of whole packets and a configuration made from the headers; one call
//! sorts the packets into tables by packet id. A packet whose continuation may lie past the end of
//! the run is left to the next call.

use fuse_core::bytes::View;
use fuse_core::{abi, Error, Result};
use std::cell::RefCell;

/// Tables, in the order of the descriptors given to the host.
#[derive(Clone, Copy)]
enum Kind {
    Spikes,
    Stimulation,
    Digital,
    Serial,
    OtherInput,
    Comments,
    VideoSync,
    Tracking,
    Button,
    Log,
    Configuration,
    Recording,
    Unknown,
}

const TABLES: usize = 13;
const NUMBERS: usize = 4;

/// Words of a table's descriptor: count, times, clocks, four columns, rows, row bytes, text, text
/// bytes, text ends.
const DESCRIPTOR_WORDS: usize = 8 + NUMBERS;

/// Ripple's stimulation channels in 2.2 files: electrode ids 5121..5632 are electrodes 1..512.
const STIMULATION_IDS: std::ops::RangeInclusive<u16> = 5121..=5632;

/// One event table, column by column.
#[derive(Default)]
struct Table {
    time: Vec<f64>,
    clock: Vec<f64>,
    numbers: [Vec<u32>; NUMBERS],
    /// Fixed-size rows: waveforms, analog inputs, tracking points, bodies of unknown packets.
    rows: Vec<u8>,
    text: Vec<u8>,
    /// End of each event's text in `text`.
    ends: Vec<u32>,
}

impl Table {
    fn clear(&mut self) {
        self.time.clear();
        self.clock.clear();
        self.numbers.iter_mut().for_each(Vec::clear);
        self.rows.clear();
        self.text.clear();
        self.ends.clear();
    }
    fn numbers(&mut self, values: &[u32]) {
        for (column, value) in self.numbers.iter_mut().zip(values) {
            column.push(*value);
        }
    }
    /// Appends the first `length` bytes of `body` as a row, with zeros for what is not there.
    fn row(&mut self, body: &[u8], length: usize) {
        let have = body.len().min(length);
        self.rows.extend_from_slice(&body[..have]);
        self.rows.resize(self.rows.len() + length - have, 0);
    }
    fn close_text(&mut self) {
        self.ends
            .push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }
}

/// What the headers say about the packets.
struct Config {
    packet_bytes: usize,
    /// 64-bit time stamps (3.0).
    wide: bool,
    /// Whether ids 5121..5632 are stimulation (Ripple, 2.2).
    stimulation: bool,
    /// Whether log and configuration packets begin with a 16-byte name (3.0).
    named: bool,
    /// Analog inputs in a digital packet (2.1, 2.2), else 0.
    analog: usize,
    /// Ticks per second, and the tick that is time zero.
    resolution: f64,
    zero: u64,
    /// A waveform row: samples, and bytes per sample.
    row_samples: usize,
    row_width: usize,
    /// Bytes per sample and samples of an electrode not in the header.
    other: (usize, usize),
}

const CONFIG_BYTES: usize = 56;
const ELECTRODE_BYTES: usize = 8;

impl Config {
    fn parse(bytes: &[u8], electrodes: &mut Vec<u32>) -> Result<Config> {
        let v = View::le(bytes);
        let short = || Error::corrupt("the packet configuration is too short");
        let word = |i: usize| v.u32(4 * i).map(|x| x as usize).ok_or_else(short);
        let flags = word(1)?;
        let config = Config {
            packet_bytes: word(0)?,
            wide: flags & 1 != 0,
            stimulation: flags & 2 != 0,
            named: flags & 4 != 0,
            analog: word(2)?.min(5),
            row_samples: word(3)?,
            row_width: word(4)?,
            other: (word(5)?, word(6)?),
            resolution: v.f64(32).ok_or_else(short)?,
            zero: v.u64(40).ok_or_else(short)?,
        };
        let least = config.head() + 4;
        if config.packet_bytes < least {
            return Err(Error::corrupt(format!(
                "data packets of {} bytes, at least {least} are needed",
                config.packet_bytes
            )));
        }
        if !matches!(config.row_width, 1 | 2 | 4) || !matches!(config.other.0, 1 | 2 | 4) {
            return Err(Error::unsupported(
                "waveform samples are not of 1, 2 or 4 bytes",
            ));
        }
        electrodes.clear();
        electrodes.resize(1 << 16, 0);
        for entry in bytes
            .get(CONFIG_BYTES..)
            .unwrap_or(&[])
            .chunks_exact(ELECTRODE_BYTES)
        {
            let e = View::le(entry);
            if let (Some(id), Some(width), Some(samples)) = (e.u16(0), e.u8(2), e.u32(4)) {
                if !matches!(width, 1 | 2 | 4) {
                    return Err(Error::unsupported(format!(
                        "electrode {id} has waveform samples of {width} bytes"
                    )));
                }
                electrodes[id as usize] = u32::from(width) << 24 | samples.min(0xff_ffff);
            }
        }
        Ok(config)
    }

    /// Bytes before a packet's body: time stamp and packet id.
    fn head(&self) -> usize {
        if self.wide {
            10
        } else {
            6
        }
    }

    fn seconds(&self, ticks: u64) -> f64 {
        (i128::from(ticks) - i128::from(self.zero)) as f64 / self.resolution
    }
}

/// A packet with its time stamp, id and body.
#[derive(Clone, Copy)]
struct Packet<'a> {
    ticks: u64,
    id: u16,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    fn parse(bytes: &'a [u8], wide: bool) -> Option<Packet<'a>> {
        let v = View::le(bytes);
        let (ticks, at) = if wide {
            (v.u64(0)?, 8)
        } else {
            (u64::from(v.u32(0)?), 4)
        };
        Some(Packet {
            ticks,
            id: v.u16(at)?,
            body: bytes.get(at + 2..)?,
        })
    }

    /// A time stamp of all ones marks a packet that continues the one before it.
    fn continues(&self, wide: bool) -> bool {
        self.ticks == if wide { u64::MAX } else { u64::from(u32::MAX) }
    }
}

/// Tables filled by one call, kept so that their memory is used again by the next.
#[derive(Default)]
struct Scanner {
    tables: [Table; TABLES],
    electrodes: Vec<u32>,
    /// Body of a packet joined with its continuations.
    joined: Vec<u8>,
    descriptors: Vec<u32>,
}

impl Scanner {
    fn scan(&mut self, config: &[u8], data: &[u8], last: bool) -> Result<usize> {
        let config = Config::parse(config, &mut self.electrodes)?;
        self.tables.iter_mut().for_each(Table::clear);
        let size = config.packet_bytes;
        let whole = data.len() / size;
        let at = |i: usize| {
            data.get(i * size..(i + 1) * size)
                .and_then(|b| Packet::parse(b, config.wide))
        };
        let mut next = 0;
        while next < whole {
            let Some(packet) = at(next) else { break };
            let mut end = next + 1;
            if !packet.continues(config.wide) {
                while let Some(more) = at(end) {
                    if !more.continues(config.wide) || more.id != packet.id {
                        break;
                    }
                    end += 1;
                }
            }
            if end == whole && !last {
                break;
            }
            let mut joined = std::mem::take(&mut self.joined);
            joined.clear();
            let body = if end > next + 1 {
                joined.extend_from_slice(packet.body);
                (next + 1..end)
                    .filter_map(at)
                    .for_each(|p| joined.extend_from_slice(p.body));
                &joined[..]
            } else {
                packet.body
            };
            self.take(&config, packet, body);
            self.joined = joined;
            next = end;
        }
        Ok(next * size)
    }

    /// Puts one packet into its table; `body` includes its continuations.
    fn take(&mut self, config: &Config, packet: Packet, body: &[u8]) {
        let v = View::le(body);
        let u8_at = |at| v.u8(at).map_or(0, u32::from);
        let u16_at = |at| v.u16(at).map_or(0, u32::from);
        let u32_at = |at| v.u32(at).unwrap_or(0);
        let Some(kind) = kind_of(config, &packet) else {
            // A continuation of nothing has no time of its own.
            let kind = Kind::Unknown;
            self.stamp(kind, f64::NAN, f64::NAN);
            self.keep(config, packet.id, packet.body);
            return;
        };
        let clock = packet.ticks as f64 / config.resolution;
        self.stamp(kind, config.seconds(packet.ticks), clock);
        let table = &mut self.tables[kind as usize];
        let plain = packet.body.len();
        match kind {
            Kind::Spikes | Kind::Stimulation => {
                let stimulation = matches!(kind, Kind::Stimulation);
                let id = if stimulation {
                    packet.id - 5120
                } else {
                    packet.id
                };
                table.numbers(&[u32::from(id), u8_at(0)]);
                let known = self.electrodes[packet.id as usize];
                let (width, samples) = if known == 0 {
                    config.other
                } else {
                    ((known >> 24) as usize, (known & 0xff_ffff) as usize)
                };
                let body = body.get(2..).unwrap_or(&[]);
                waveform(&mut table.rows, body, (width, samples), config);
                return;
            }
            Kind::Digital | Kind::Serial | Kind::OtherInput => {
                table.numbers(&[u16_at(2), u8_at(0)]);
                table.row(body.get(4..plain).unwrap_or(&[]), 2 * config.analog);
            }
            Kind::Comments => {
                table.numbers(&[u32_at(2), u8_at(0), u8_at(1)]);
                let text = body.get(6..).unwrap_or(&[]);
                table.text.extend_from_slice(if u8_at(0) == 1 {
                    cut16(text)
                } else {
                    cut8(text)
                });
                table.close_text();
                return;
            }
            Kind::VideoSync => {
                table.numbers(&[u16_at(0), u32_at(2), u32_at(6), u32_at(10)]);
            }
            Kind::Tracking => {
                table.numbers(&[u16_at(0), u16_at(2), u16_at(4), u16_at(6)]);
                table.row(body.get(8..plain).unwrap_or(&[]), (plain - 8) & !1);
            }
            Kind::Button | Kind::Recording => table.numbers(&[u16_at(0)]),
            Kind::Log | Kind::Configuration => {
                table.numbers(&[u16_at(0)]);
                let text = body.get(2..).unwrap_or(&[]);
                let (name, text) = text.split_at(if config.named { text.len().min(16) } else { 0 });
                table.text.extend_from_slice(cut8(name));
                table.close_text();
                table.text.extend_from_slice(cut8(text));
                table.close_text();
                return;
            }
            Kind::Unknown => {
                self.tables[Kind::Unknown as usize].numbers(&[u32::from(packet.id)]);
                self.tables[Kind::Unknown as usize].row(packet.body, plain);
            }
        }
        // What continues a packet of fixed form has no place in its table: keep it as it is.
        for more in body[plain..].chunks(plain) {
            self.stamp(Kind::Unknown, config.seconds(packet.ticks), clock);
            self.keep(config, packet.id, more);
        }
    }

    fn stamp(&mut self, kind: Kind, seconds: f64, clock: f64) {
        let table = &mut self.tables[kind as usize];
        table.time.push(seconds);
        table.clock.push(clock);
    }

    fn keep(&mut self, config: &Config, id: u16, body: &[u8]) {
        let table = &mut self.tables[Kind::Unknown as usize];
        table.numbers(&[u32::from(id)]);
        table.row(body, config.packet_bytes - config.head());
    }

    fn describe(&mut self) -> *const u32 {
        self.descriptors.clear();
        let address = |p: *const u8| p as usize as u32;
        for table in &self.tables {
            let d = &mut self.descriptors;
            d.push(table.time.len() as u32);
            d.push(address(table.time.as_ptr().cast()));
            d.push(address(table.clock.as_ptr().cast()));
            for column in &table.numbers {
                d.push(address(column.as_ptr().cast()));
            }
            d.push(address(table.rows.as_ptr()));
            d.push(table.rows.len() as u32);
            d.push(address(table.text.as_ptr()));
            d.push(table.text.len() as u32);
            d.push(address(table.ends.as_ptr().cast()));
        }
        debug_assert_eq!(self.descriptors.len(), TABLES * DESCRIPTOR_WORDS);
        self.descriptors.as_ptr()
    }
}

/// The table a packet belongs to; `None` for a continuation whose beginning is not before it.
fn kind_of(config: &Config, packet: &Packet) -> Option<Kind> {
    if packet.continues(config.wide) {
        return None;
    }
    let length = packet.body.len();
    let fits = |kind: Kind, needed: usize| {
        if length >= needed {
            kind
        } else {
            Kind::Unknown
        }
    };
    Some(match packet.id {
        0 => {
            // Bit 7: serial port; bit 0: parallel port; bits 1-5 analog, 6 periodic (2.1, 2.2).
            let reason = packet.body.first().copied().unwrap_or(0);
            let kind = if reason & 0x80 != 0 {
                Kind::Serial
            } else if reason & 1 != 0 {
                Kind::Digital
            } else {
                Kind::OtherInput
            };
            fits(kind, 4)
        }
        id if config.stimulation && STIMULATION_IDS.contains(&id) => Kind::Stimulation,
        1..=0x7fff => Kind::Spikes,
        0xffff => fits(Kind::Comments, 6),
        0xfffe => fits(Kind::VideoSync, 14),
        0xfffd => fits(Kind::Tracking, 8),
        0xfffc => fits(Kind::Button, 2),
        0xfffb => fits(Kind::Log, 2),
        0xfffa => fits(Kind::Configuration, 2),
        0xfff9 => fits(Kind::Recording, 2),
        _ => Kind::Unknown,
    })
}

/// Appends a waveform as a row of the table's own sample width, sign-extended, with zeros at its end.
fn waveform(rows: &mut Vec<u8>, body: &[u8], (width, samples): (usize, usize), config: &Config) {
    let start = rows.len();
    let have = (body.len() / width).min(samples).min(config.row_samples);
    if width == config.row_width {
        rows.extend_from_slice(&body[..have * width]);
    } else {
        for sample in body.chunks_exact(width).take(have) {
            let wide = match *sample {
                [a] => i32::from(a as i8),
                [a, b] => i32::from(i16::from_le_bytes([a, b])),
                [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
                _ => 0,
            };
            rows.extend_from_slice(&wide.to_le_bytes()[..config.row_width]);
        }
    }
    rows.resize(start + config.row_samples * config.row_width, 0);
}

/// Text up to its first NUL.
fn cut8(text: &[u8]) -> &[u8] {
    &text[..text.iter().position(|b| *b == 0).unwrap_or(text.len())]
}

/// UTF-16 text up to its first NUL unit, without an odd byte at the end.
fn cut16(text: &[u8]) -> &[u8] {
    let units = text.chunks_exact(2).take_while(|u| **u != [0, 0]).count();
    &text[..2 * units]
}

thread_local! {
    static SCANNER: RefCell<Scanner> = RefCell::default();
}

/// Sorts packets into tables; returns the bytes used, a multiple of the packet size.
///
/// With `last` 0 the final packet and what continues it are left for the next call. The
/// configuration is 56 bytes: packet bytes, flags (1: 64-bit stamps, 2: stimulation ids, 4: named
/// logs), analog inputs, samples of a waveform row, bytes per sample of a row, bytes per sample and
/// samples of electrodes not listed (u32 each), 4 bytes unused, ticks per second (f64), zero tick
/// (u64), 8 bytes unused; then 8 bytes an electrode: id u16, bytes per sample u8, 0, samples u32.
///
/// # Safety
/// Both ranges must be readable.
#[no_mangle]
pub unsafe extern "C" fn blackrock_nev_scan(
    config: *const u8,
    config_length: usize,
    data: *const u8,
    data_length: usize,
    last: u32,
) -> i32 {
    let (config, data) = (
        abi::input(config, config_length),
        abi::input(data, data_length),
    );
    SCANNER.with(|s| abi::status(s.borrow_mut().scan(config, data, last != 0)))
}

/// Descriptors of the tables the last scan filled: [`DESCRIPTOR_WORDS`] words for each.
#[no_mangle]
pub extern "C" fn blackrock_nev_tables() -> *const u32 {
    SCANNER.with(|s| s.borrow_mut().describe())
}

/// Gives the tables' memory back.
#[no_mangle]
pub extern "C" fn blackrock_nev_release() {
    SCANNER.with(|s| *s.borrow_mut() = Scanner::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(packet: u32, flags: u32) -> Vec<u8> {
        let mut c = Vec::new();
        for word in [packet, flags, 0, 4, 2, 2, 4, 0] {
            c.extend_from_slice(&word.to_le_bytes());
        }
        c.extend_from_slice(&30000f64.to_le_bytes());
        c.extend_from_slice(&0u64.to_le_bytes());
        c.extend_from_slice(&[0; 8]);
        c
    }

    fn packet(ticks: u32, id: u16, body: &[u8], size: usize) -> Vec<u8> {
        let mut p = ticks.to_le_bytes().to_vec();
        p.extend_from_slice(&id.to_le_bytes());
        p.extend_from_slice(body);
        p.resize(size, 0);
        p
    }

    fn scan(config: &[u8], packets: &[Vec<u8>], last: bool) -> (Scanner, Result<usize>) {
        let mut s = Scanner::default();
        let used = s.scan(config, &packets.concat(), last);
        (s, used)
    }

    #[test]
    fn spikes_and_inputs_go_to_their_tables() {
        let c = config(16, 0);
        let (s, used) = scan(
            &c,
            &[
                packet(30000, 7, &[3, 0, 1, 0, 0xff, 0xff, 5, 0, 6, 0], 16),
                packet(60000, 0, &[1, 0, 0xff, 0xff], 16),
                packet(60001, 0, &[129, 0, 9, 0], 16),
                packet(60002, 0, &[64, 0, 1, 0], 16),
            ],
            true,
        );
        assert_eq!(used, Ok(64));
        let spikes = &s.tables[Kind::Spikes as usize];
        assert_eq!(spikes.time, [1.0]);
        assert_eq!((spikes.numbers[0][0], spikes.numbers[1][0]), (7, 3));
        assert_eq!(spikes.rows, [1, 0, 0xff, 0xff, 5, 0, 6, 0]);
        assert_eq!(s.tables[Kind::Digital as usize].numbers[0], [65535]);
        assert_eq!(s.tables[Kind::Serial as usize].numbers[0], [9]);
        assert_eq!(s.tables[Kind::OtherInput as usize].numbers[1], [64]);
    }

    #[test]
    fn bytes_are_sign_extended_and_short_waveforms_padded() {
        let mut c = config(16, 0);
        c.extend_from_slice(&[7, 0, 1, 0, 3, 0, 0, 0]);
        let (s, _) = scan(&c, &[packet(1, 7, &[0, 0, 0xff, 2, 0x80, 9], 16)], true);
        assert_eq!(s.tables[0].rows, [0xff, 0xff, 2, 0, 0x80, 0xff, 0, 0]);
    }

    #[test]
    fn continuations_join_across_calls() {
        let c = config(16, 0);
        let text = [
            packet(5, 0xffff, &[0, 0, 1, 2, 3, 4, b'a', b'b', b'c', b'd'], 16),
            packet(u32::MAX, 0xffff, b"efg", 16),
        ];
        let (_, used) = scan(&c, &text[..1], false);
        assert_eq!(used, Ok(0), "the comment may go on in the next block");
        let (s, used) = scan(&c, &text, true);
        assert_eq!(used, Ok(32));
        let comments = &s.tables[Kind::Comments as usize];
        assert_eq!(comments.text, b"abcdefg");
        assert_eq!((comments.time.len(), comments.ends[0]), (1, 7));
        assert_eq!(comments.numbers[0], [0x0403_0201]);
    }

    #[test]
    fn a_continuation_of_nothing_is_kept() {
        let (s, _) = scan(&config(16, 0), &[packet(u32::MAX, 9, b"xy", 16)], true);
        let unknown = &s.tables[Kind::Unknown as usize];
        assert!(unknown.time[0].is_nan());
        assert_eq!(unknown.rows.len(), 10);
    }

    #[test]
    fn utf16_text_ends_at_a_nul_unit_not_at_a_nul_byte() {
        let body = [1, 0, 0, 0, 0, 0, b'h', 0, 0xe9, 0, 0, 0, b'x', 0, b'y'];
        let (s, _) = scan(&config(21, 0), &[packet(5, 0xffff, &body, 21)], true);
        assert_eq!(s.tables[Kind::Comments as usize].text, [b'h', 0, 0xe9, 0]);
    }

    #[test]
    fn wide_stamps_keep_nanoseconds() {
        let mut c = config(24, 1);
        c[32..40].copy_from_slice(&1e9f64.to_le_bytes());
        c[40..48].copy_from_slice(&1_700_000_000_000_000_000u64.to_le_bytes());
        let mut p = 1_700_000_000_000_000_001u64.to_le_bytes().to_vec();
        p.extend_from_slice(&[0xff, 0xff, 0, 0]);
        p.resize(24, 0);
        let (s, _) = scan(&c, &[p], true);
        assert_eq!(s.tables[Kind::Comments as usize].time, [1e-9]);
    }

    #[test]
    fn stimulation_ids_are_electrodes_of_their_own_table() {
        let p = [packet(1, 5123, &[0, 0, 1, 0], 16)];
        let (s, _) = scan(&config(16, 2), &p, true);
        assert_eq!(s.tables[Kind::Stimulation as usize].numbers[0], [3]);
        let (s, _) = scan(&config(16, 0), &p, true);
        assert_eq!(s.tables[Kind::Spikes as usize].numbers[0], [5123]);
    }

    #[test]
    fn bad_configurations_are_errors() {
        assert!(scan(&[0; 8], &[], true).1.is_err());
        assert!(scan(&config(4, 0), &[], true).1.is_err());
        let mut c = config(16, 0);
        c.extend_from_slice(&[7, 0, 3, 0, 3, 0, 0, 0]);
        assert!(scan(&c, &[], true).1.is_err());
    }

    #[test]
    fn every_packet_of_any_bytes_lands_somewhere() {
        for size in [12u32, 13, 24, 104] {
            for flags in 0..8 {
                if size < 14 && flags & 1 != 0 {
                    continue;
                }
                let mut seed = 1u32;
                let mut data = Vec::new();
                for _ in 0..size * 300 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    data.push(if seed >> 31 == 0 {
                        0xff
                    } else {
                        (seed >> 23) as u8
                    });
                }
                let (s, used) = scan(&config(size, flags), &[data], true);
                assert_eq!(used, Ok(size as usize * 300));
                assert!(s.tables.iter().map(|t| t.time.len()).sum::<usize>() > 0);
            }
        }
    }
}
