//! The raw C ABI: the host allocates in wasm memory, passes pointers, and reads back a status.
//!
//! A call returns a non-negative number on success, or a negative code with a message left in
//! `fuse_error_*`: -1 corrupt, -2 truncated, -3 unsupported, -4 limit.

use crate::{Error, Kind, Result};
use std::alloc::{alloc, dealloc, Layout};
use std::cell::RefCell;

thread_local! {
    static LAST: RefCell<(String, i64)> = const { RefCell::new((String::new(), -1)) };
}

const ALIGN: usize = 16;

/// `length` bytes aligned to 16; null when there is no memory. Contents are not initialised.
#[no_mangle]
pub extern "C" fn fuse_alloc(length: usize) -> *mut u8 {
    match Layout::from_size_align(length.max(1), ALIGN) {
        // SAFETY: the layout has a non-zero size.
        Ok(layout) => unsafe { alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

/// Gives back what [`fuse_alloc`] gave for the same `length`.
///
/// # Safety
/// `ptr` must come from [`fuse_alloc`] with this `length`, and not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn fuse_free(ptr: *mut u8, length: usize) {
    if let (false, Ok(layout)) = (ptr.is_null(), Layout::from_size_align(length.max(1), ALIGN)) {
        dealloc(ptr, layout);
    }
}

/// Address of the last error's UTF-8 text.
#[no_mangle]
pub extern "C" fn fuse_error_ptr() -> *const u8 {
    LAST.with(|l| l.borrow().0.as_ptr())
}

/// Length of the last error's text.
#[no_mangle]
pub extern "C" fn fuse_error_len() -> usize {
    LAST.with(|l| l.borrow().0.len())
}

/// Offset inside the input where the last error was met, or -1.
#[no_mangle]
pub extern "C" fn fuse_error_offset() -> f64 {
    LAST.with(|l| l.borrow().1 as f64)
}

/// Turns a result into the status the host reads.
pub fn status(result: Result<usize>) -> i32 {
    match result {
        Ok(n) => i32::try_from(n).unwrap_or(i32::MAX),
        Err(e) => fail(&e),
    }
}

/// Records an error and gives its code.
pub fn fail(e: &Error) -> i32 {
    LAST.with(|l| {
        *l.borrow_mut() = (
            e.message.clone(),
            e.offset.and_then(|o| i64::try_from(o).ok()).unwrap_or(-1),
        );
    });
    match e.kind {
        Kind::Corrupt => -1,
        Kind::Truncated => -2,
        Kind::Unsupported => -3,
        Kind::Limit => -4,
    }
}

/// The bytes the host put at `ptr`.
///
/// # Safety
/// `ptr..ptr + length` must be readable for as long as the slice is used.
pub unsafe fn input<'a, T>(ptr: *const T, length: usize) -> &'a [T] {
    if length == 0 || ptr.is_null() {
        &[]
    } else {
        std::slice::from_raw_parts(ptr, length)
    }
}

/// The buffer the host wants filled at `ptr`.
///
/// # Safety
/// `ptr..ptr + length` must be writable and not aliased for as long as the slice is used.
pub unsafe fn output<'a, T>(ptr: *mut T, length: usize) -> &'a mut [T] {
    if length == 0 || ptr.is_null() {
        &mut []
    } else {
        std::slice::from_raw_parts_mut(ptr, length)
    }
}
