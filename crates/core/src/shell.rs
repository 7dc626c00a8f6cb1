//! Converts credentials to variables and statements for a shell, and passes the state of a shell to its child
//! processes.

pub mod choice;
pub mod confirm;
pub mod dotenv;
pub mod environment;
pub mod export;
pub mod formats;
pub mod generation;
pub mod long_run;
pub mod manual_change;
pub mod posix;
pub mod role_profiles;
pub mod snippet;
pub mod state;
pub mod statements;
pub mod views;
