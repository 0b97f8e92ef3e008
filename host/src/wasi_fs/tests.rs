//! Not yet: the tests of each method.
