#![no_main]
fuse_fuzz::program!();
