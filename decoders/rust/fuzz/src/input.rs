//! Reads the parameters of a call from the front of a fuzz input; what is left is the file's bytes.

/// Bytes handed out one number at a time; zeros when they have run out.
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Input { rest: data }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let taken = self.bytes(N);
        out[..taken.len()].copy_from_slice(taken);
        out
    }

    pub fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }
    pub fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }
    pub fn f64(&mut self) -> f64 {
        f64::from_le_bytes(self.array())
    }
    pub fn size(&mut self) -> usize {
        usize::from(self.u16())
    }
    pub fn flag(&mut self) -> bool {
        self.u8() & 1 != 0
    }

    /// One of a list, by a byte.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.u8()) % of.len()]
    }

    /// A number as a host might pass it: mostly small, now and then anything.
    pub fn count(&mut self) -> usize {
        match self.u16() {
            0xffff => usize::MAX,
            0xfffe => 0x7fff_ffff,
            0xfffd => 0xffff_fffe,
            0xfffc => (usize::MAX >> 1) + 1,
            small => usize::from(small),
        }
    }

    /// The next `length` bytes, or those that are left.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}
