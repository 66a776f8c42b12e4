//! What the compiler says to an author who made a mistake: each file of `tests/mistakes` with the
//! message beside it. After a change: `TRYBUILD=overwrite cargo test -p swarm-sdk --test mistakes`.

#[test]
fn mistakes_are_named_where_they_are_made() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
