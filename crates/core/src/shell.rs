//! From credentials to what a shell evaluates, and what a shell tells its children.

pub mod choice;
pub mod confirm;
pub mod dotenv;
pub mod environment;
pub mod export;
pub mod formats;
pub mod generation;
pub mod long_run;
pub mod manual_change;
pub mod snippet;
pub mod state;
pub mod statements;
pub mod views;
