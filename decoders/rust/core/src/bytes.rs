//! Checked little- and big-endian reads from a slice.

/// Reads numbers at byte offsets; `None` past the end.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub data: &'a [u8],
    pub little: bool,
}

macro_rules! number {
    ($name:ident, $t:ty, $n:expr) => {
        pub fn $name(&self, at: usize) -> Option<$t> {
            let b: [u8; $n] = self.data.get(at..at.checked_add($n)?)?.try_into().ok()?;
            Some(if self.little {
                <$t>::from_le_bytes(b)
            } else {
                <$t>::from_be_bytes(b)
            })
        }
    };
}

impl<'a> View<'a> {
    pub fn le(data: &'a [u8]) -> Self {
        View { data, little: true }
    }
    pub fn be(data: &'a [u8]) -> Self {
        View {
            data,
            little: false,
        }
    }
    pub fn u8(&self, at: usize) -> Option<u8> {
        self.data.get(at).copied()
    }
    number!(u16, u16, 2);
    number!(i16, i16, 2);
    number!(u32, u32, 4);
    number!(i32, i32, 4);
    number!(u64, u64, 8);
    number!(i64, i64, 8);
    number!(f32, f32, 4);
    number!(f64, f64, 8);
}
