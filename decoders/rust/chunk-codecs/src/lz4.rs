//! The LZ4 block format (lz4_Block_format.md): a greedy encoder made for speed.
//!
//! A block is a row of sequences: literals, then a match (a distance back and a length). The last
//! sequence has literals only. The encoder looks the next bytes up in a table of their last places;
//! the longer nothing matches, the larger steps it takes, so noise costs little. Looking five bytes up
//! rather than four gives fewer and longer matches in bit planes: faster both ways, and no larger.

use crate::simd::{equal8, load, store};

const MIN_MATCH: usize = 4;
/// The last five bytes are literals ...
const LAST_LITERALS: usize = 5;
/// ... and no match starts in the last twelve.
const MATCH_LIMIT: usize = 12;
const MAX_DISTANCE: usize = 65_535;
/// Misses at one step width before the next larger one, as a power of two.
const SKIP_TRIGGER: u32 = 6;
/// Bytes that copies may write past what they should.
const SLACK: usize = 32;

const HASH_BITS: u32 = 12;
const HASHES: usize = 1 << HASH_BITS;

/// The last place of every hash, kept between blocks to save allocation.
pub struct Table {
    near: [u16; HASHES],
    far: [u32; HASHES],
}

impl Default for Table {
    fn default() -> Self {
        Table {
            near: [0; HASHES],
            far: [0; HASHES],
        }
    }
}

/// A place in a block; two bytes suffice for blocks up to 64 KiB, and then every distance is legal.
trait Place: Copy {
    const FAR: bool;
    fn pack(at: usize) -> Self;
    fn place(self) -> usize;
}
impl Place for u16 {
    const FAR: bool = false;
    #[inline(always)]
    fn pack(at: usize) -> u16 {
        at as u16
    }
    #[inline(always)]
    fn place(self) -> usize {
        usize::from(self)
    }
}
impl Place for u32 {
    const FAR: bool = true;
    #[inline(always)]
    fn pack(at: usize) -> u32 {
        at as u32
    }
    #[inline(always)]
    fn place(self) -> usize {
        self as usize
    }
}

/// How matches are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// 1 and up: the step width to begin with.
    pub acceleration: usize,
    /// Look eight bytes up instead of five, for data with long repeats far apart.
    pub long: bool,
}

/// Compresses `src` into `dst`; `None` when it does not fit.
pub fn encode(src: &[u8], dst: &mut [u8], table: &mut Table, search: Search) -> Option<usize> {
    if src.len() >= u32::MAX as usize {
        return None;
    }
    let steps = search.acceleration.clamp(1, 1 << 16);
    // SAFETY: `run` reads inside `src` and writes inside `dst`; the table has an entry per hash.
    unsafe {
        if src.len() <= 1 << 16 {
            table.near.fill(0);
            match search.long {
                false => run::<u16, 5>(src, dst, &mut table.near, steps),
                true => run::<u16, 8>(src, dst, &mut table.near, steps),
            }
        } else {
            table.far.fill(0);
            match search.long {
                false => run::<u32, 5>(src, dst, &mut table.far, steps),
                true => run::<u32, 8>(src, dst, &mut table.far, steps),
            }
        }
    }
}

#[inline(always)]
unsafe fn word(at: *const u8) -> u32 {
    at.cast::<u32>().read_unaligned()
}

/// The hash of the `BYTES` bytes at `at`, of which eight must be readable.
#[inline(always)]
unsafe fn hash<const BYTES: u32>(at: *const u8) -> usize {
    let bytes = at.cast::<u64>().read_unaligned() << (64 - 8 * BYTES);
    (bytes.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - HASH_BITS)) as usize
}

#[inline(always)]
unsafe fn run<P: Place, const BYTES: u32>(
    src: &[u8],
    dst: &mut [u8],
    table: &mut [P; HASHES],
    acceleration: usize,
) -> Option<usize> {
    let (base, n) = (src.as_ptr(), src.len());
    let mut out = Writer {
        at: dst.as_mut_ptr(),
        len: 0,
        room: dst.len(),
    };
    let mut anchor = 0;
    if n > MATCH_LIMIT {
        let limit = n - MATCH_LIMIT;
        let match_end = n - LAST_LITERALS;
        let mut next = 1;
        let mut next_hash = hash::<BYTES>(base.add(1));
        'search: loop {
            let (mut at, mut from);
            let mut step = 1;
            let mut misses = acceleration << SKIP_TRIGGER;
            loop {
                at = next;
                let h = next_hash;
                next = at + step;
                step = misses >> SKIP_TRIGGER;
                misses += 1;
                if next > limit {
                    break 'search;
                }
                let slot = table.get_unchecked_mut(h);
                from = slot.place();
                next_hash = hash::<BYTES>(base.add(next));
                *slot = P::pack(at);
                if word(base.add(from)) == word(base.add(at))
                    && (!P::FAR || (at - from).wrapping_sub(1) < MAX_DISTANCE)
                {
                    break;
                }
            }
            while at > anchor && from > 0 && *base.add(at - 1) == *base.add(from - 1) {
                at -= 1;
                from -= 1;
            }
            let mut literals = at - anchor;
            loop {
                let distance = at - from;
                let length = MIN_MATCH + common(base, at + MIN_MATCH, distance, match_end);
                out.sequence(base.add(anchor), n - anchor, literals, distance, length)?;
                at += length;
                anchor = at;
                if at > limit {
                    break 'search;
                }
                *table.get_unchecked_mut(hash::<BYTES>(base.add(at - 2))) = P::pack(at - 2);
                let slot = table.get_unchecked_mut(hash::<BYTES>(base.add(at)));
                from = slot.place();
                *slot = P::pack(at);
                if word(base.add(from)) != word(base.add(at))
                    || (P::FAR && (at - from).wrapping_sub(1) >= MAX_DISTANCE)
                {
                    break;
                }
                literals = 0;
            }
            next = at + 1;
            if next > limit {
                break;
            }
            next_hash = hash::<BYTES>(base.add(next));
        }
    }
    out.last(&src[anchor..])
}

/// How many bytes from `at` on equal those `distance` before them, up to `end`.
#[inline(always)]
unsafe fn common(base: *const u8, mut at: usize, distance: usize, end: usize) -> usize {
    let start = at;
    while at + 16 <= end {
        let same = equal8(load(base.add(at)), load(base.add(at - distance)));
        if same != 0xffff {
            return at + (!same).trailing_zeros() as usize - start;
        }
        at += 16;
    }
    while at < end && *base.add(at) == *base.add(at - distance) {
        at += 1;
    }
    at - start
}

struct Writer {
    at: *mut u8,
    len: usize,
    room: usize,
}

impl Writer {
    /// Writes `literals` bytes from `from` (of which `readable` can be read) and a match.
    #[inline(always)]
    unsafe fn sequence(
        &mut self,
        from: *const u8,
        readable: usize,
        literals: usize,
        distance: usize,
        length: usize,
    ) -> Option<()> {
        let extra = length - MIN_MATCH;
        // Token, distance, and both lengths' tails.
        let most = literals + literals / 255 + extra / 255 + 5 + SLACK;
        if most > self.room - self.len {
            return None;
        }
        let token = self.at.add(self.len);
        self.len += 1;
        let high = self.length(literals);
        let to = self.at.add(self.len);
        if literals <= 16 && readable >= 16 {
            store(to, load(from));
        } else {
            copy(from, readable, literals, to);
        }
        self.len += literals;
        self.at
            .add(self.len)
            .cast::<u16>()
            .write_unaligned(distance as u16);
        self.len += 2;
        *token = (high << 4 | self.length(extra)) as u8;
        Some(())
    }

    /// Writes the tail of a length and gives its part in the token.
    #[inline(always)]
    unsafe fn length(&mut self, length: usize) -> usize {
        if length < 15 {
            return length;
        }
        let mut rest = length - 15;
        while rest >= 255 {
            *self.at.add(self.len) = 255;
            self.len += 1;
            rest -= 255;
        }
        *self.at.add(self.len) = rest as u8;
        self.len += 1;
        15
    }

    unsafe fn last(mut self, literals: &[u8]) -> Option<usize> {
        let n = literals.len();
        if n + n / 255 + 2 > self.room - self.len {
            return None;
        }
        let token = self.at.add(self.len);
        self.len += 1;
        *token = (self.length(n) << 4) as u8;
        std::ptr::copy_nonoverlapping(literals.as_ptr(), self.at.add(self.len), n);
        Some(self.len + n)
    }
}

/// Copies `n` bytes, in whole vectors where both sides have room for them.
#[inline(always)]
unsafe fn copy(from: *const u8, readable: usize, n: usize, to: *mut u8) {
    if n > 256 || readable < n + 16 {
        return std::ptr::copy_nonoverlapping(from, to, n);
    }
    let mut i = 0;
    while i < n {
        store(to.add(i), load(from.add(i)));
        i += 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::unlz4::decode;

    const PLAIN: Search = Search {
        acceleration: 1,
        long: false,
    };

    fn round_trip(src: &[u8], table: &mut Table, search: Search) {
        let mut packed = vec![0; src.len() + src.len() / 255 + 64];
        let n = encode(src, &mut packed, table, search).expect("room enough");
        let mut back = vec![0xaa; src.len()];
        assert_eq!(decode(&packed[..n], &mut back), Ok(src.len()));
        assert!(back == src, "{} bytes differ", src.len());
        // With room to spare the decoder takes its fast paths to the end.
        let mut roomy = vec![0xaa; src.len() + 100];
        assert_eq!(decode(&packed[..n], &mut roomy), Ok(src.len()));
        assert!(roomy[..src.len()] == *src);
        // Too little room is an answer, not an accident.
        for room in [0, 1, n / 2, n.saturating_sub(1), n] {
            if let Some(m) = encode(src, &mut packed[..room], table, search) {
                assert!(m <= room);
                assert_eq!(decode(&packed[..m], &mut back), Ok(src.len()));
            }
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let (mut random, mut table) = (Random::new(3), Table::default());
        for length in (0..80).chain([255, 256, 270, 1000, 65_535, 65_536, 65_537]) {
            for (acceleration, long) in [(1, false), (4, true), (20, false)] {
                let search = Search { acceleration, long };
                round_trip(&random.mixture(length), &mut table, search);
                round_trip(&random.bytes(length), &mut table, search);
                round_trip(&vec![7; length], &mut table, search);
            }
        }
        for period in 1..40 {
            let unit = random.bytes(period);
            let src: Vec<u8> = unit.iter().copied().cycle().take(1000 + period).collect();
            round_trip(&src, &mut table, PLAIN);
        }
    }

    #[test]
    fn blocks_end_as_the_format_demands() {
        // Zeros compress to one match that leaves the last five bytes as literals.
        let mut out = [0; 64];
        let n = encode(&[0; 100], &mut out, &mut Table::default(), PLAIN).expect("fits");
        assert_eq!(out[..n], [0x1f, 0, 1, 0, 75, 0x50, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn random_bytes_never_break_the_decoder() {
        let mut random = Random::new(4);
        let (mut good, mut table) = (vec![0; 4096], Table::default());
        let n = encode(&random.mixture(3000), &mut good, &mut table, PLAIN).unwrap_or(0);
        for round in 0..6000 {
            let mut bytes = if round % 2 == 0 {
                let length = random.below(200);
                random.bytes(length)
            } else {
                good[..n].to_vec()
            };
            for _ in 0..random.below(6) {
                if !bytes.is_empty() {
                    let at = random.below(bytes.len());
                    bytes[at] = random.next() as u8;
                }
            }
            let room = random.below(4000);
            let mut guarded = vec![0x5a; room + 64];
            let _ = decode(&bytes, &mut guarded[..room]);
            assert!(guarded[room..].iter().all(|&b| b == 0x5a));
        }
    }
}
