//! What every decoder shares: the C ABI to the host, errors, bounded allocation, checked reads.
//!
//! Decoders are sans-I/O: the host hands them bytes and takes back values. They never panic on
//! input and never allocate by a number from a file before that number has been checked.

pub mod abi;
pub mod bytes;

/// Why a decoder gave up, as the host maps it to its own error tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes contradict the format.
    Corrupt,
    /// The input ends before what it promises.
    Truncated,
    /// Well-formed, but a feature we do not decode.
    Unsupported,
    /// More memory than allowed would be needed.
    Limit,
}

/// A decoder's failure: what was found and expected, and the offset inside the input it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
    pub offset: Option<usize>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
            offset: None,
        }
    }
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }
    pub fn truncated(message: impl Into<String>) -> Self {
        Self::new(Kind::Truncated, message)
    }
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(Kind::Limit, message)
    }
    pub fn at(mut self, offset: usize) -> Self {
        self.offset = Some(offset);
        self
    }
}

/// A zeroed buffer of `length` bytes, or `Limit` when it passes `limit` or memory runs out.
pub fn buffer(length: usize, limit: usize) -> Result<Vec<u8>> {
    if length > limit {
        return Err(Error::limit(format!(
            "{length} bytes needed, at most {limit} allowed"
        )));
    }
    let mut v = Vec::new();
    v.try_reserve_exact(length)
        .map_err(|_| Error::limit(format!("no memory for {length} bytes")))?;
    v.resize(length, 0);
    Ok(v)
}
