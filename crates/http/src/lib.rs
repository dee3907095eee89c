
pub mod extract;
