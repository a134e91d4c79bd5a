//! A small generator for tests: the same numbers in every run.

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 32) as u8).collect()
    }

    /// Bytes with runs, repeats and noise in turn, as a compressor may meet them.
    pub fn mixture(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length);
        while out.len() < length {
            let n = (1 + self.below(300)).min(length - out.len());
            match self.below(4) {
                0 => out.extend(std::iter::repeat_n(self.next() as u8, n)),
                1 => out.extend(self.bytes(n)),
                2 if !out.is_empty() => {
                    let back = 1 + self.below(out.len());
                    for _ in 0..n {
                        out.push(out[out.len() - back]);
                    }
                }
                _ => out.extend(self.bytes(n).into_iter().map(|b| b & 1)),
            }
        }
        out
    }
}
