//! Prints what so many users ask of the table, of Lambda and of the purse: the tables of `docs/scale.md`.

#![expect(clippy::print_stdout, reason = "a program that prints")]

fn main() {
    print!("{}", bench::scale::report());
}
