//! Moving words from scattered places to rows.

/// Copies the word at `src + bases[t] + offsets[c]` to element `t` of row `c` (rows are `row_bytes`
/// apart), for words of 1, 2, 3, 4, 8 or 16 bytes.
///
/// # Safety
/// All those words must be readable and all rows writable.
pub unsafe fn gather_words(
    width: usize,
    src: *const u8,
    bases: &[usize],
    offsets: &[u32],
    rows: *mut u8,
    row_bytes: usize,
) {
    match width {
        1 => gather::<u8>(src, bases, offsets, rows, row_bytes),
        2 => gather::<[u8; 2]>(src, bases, offsets, rows, row_bytes),
        3 => gather::<[u8; 3]>(src, bases, offsets, rows, row_bytes),
        4 => gather::<[u8; 4]>(src, bases, offsets, rows, row_bytes),
        8 => gather::<[u8; 8]>(src, bases, offsets, rows, row_bytes),
        _ => gather::<[u8; 16]>(src, bases, offsets, rows, row_bytes),
    }
}

#[inline(always)]
unsafe fn gather<T: Copy>(
    src: *const u8,
    bases: &[usize],
    offsets: &[u32],
    rows: *mut u8,
    row_bytes: usize,
) {
    for (c, &offset) in offsets.iter().enumerate() {
        let from = src.add(offset as usize);
        let row = rows.add(c * row_bytes).cast::<T>();
        for (t, &base) in bases.iter().enumerate() {
            row.add(t)
                .write_unaligned(from.add(base).cast::<T>().read_unaligned());
        }
    }
}
