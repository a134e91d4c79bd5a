//! Plain mutations, the same for the same seed.

/// Pseudo-random numbers (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 when there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() >> 16) as usize % limit.max(1)
    }
}

/// Numbers at which decoders turn wrong.
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_ffff,
    u64::MAX,
];

/// Longest input a mutation makes.
const MOST_BYTES: usize = 1 << 14;

/// Changes `data` in one to eight ways; `other` is another seed, of which a part may be taken.
pub fn mutate(random: &mut Random, data: &mut Vec<u8>, other: &[u8]) {
    // Most changes are few: many together leave nothing of the seed.
    let changes = 1 + random.below(8).min(random.below(8));
    for _ in 0..changes {
        change(random, data, other);
    }
    data.truncate(MOST_BYTES);
}

fn change(random: &mut Random, data: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(data.len());
    let length = 1 + random.below(data.len() - at).min(random.below(64));
    let end = (at + length).min(data.len());
    match random.below(10) {
        0..=1 => {
            if let Some(byte) = data.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2 => {
            if let Some(byte) = data.get_mut(at) {
                *byte = random.number() as u8;
            }
        }
        3..=4 => {
            let width = [1, 2, 4, 8][random.below(4)];
            let mut bytes = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
            if random.below(2) == 0 {
                bytes[..width].reverse();
            }
            for (to, from) in data[at..].iter_mut().zip(&bytes[..width]) {
                *to = *from;
            }
        }
        5 => drop(data.drain(at..end)),
        6 => {
            let copy = data[at..end].to_vec();
            let to = random.below(data.len() + 1);
            data.splice(to..to, copy);
        }
        7 => {
            let bytes: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
            data.splice(at..end.min(at + random.below(length + 1)), bytes);
        }
        8 => {
            let from = random.below(other.len());
            let part = &other[from..(from + 1 + random.below(256)).min(other.len())];
            data.splice(at..end, part.iter().copied());
        }
        _ => data.truncate(at + random.below(data.len() - at + 1)),
    }
}
