//! The imaging crates, wasm modules of their own, all export `tiff_decode`; here they meet in one program.
fn main() {
    println!("cargo:rustc-link-arg=-Wl,--allow-multiple-definition");
}
