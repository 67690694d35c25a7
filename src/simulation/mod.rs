//! A world without servers, sockets and threads, in which the rules of [`crate::protect`] and of [`crate::endpoint`] are driven
//! through random stories: the clock moves only when something takes time, and what happens meanwhile is drawn from a seed.
//!
//! [`world`] has the servers, DNS and the clock, [`server`] what a server does with a statement, [`connection`] is a front end for
//! them, [`program`] the application and the check of what it was told, [`stories`] what goes wrong.

mod connection;
mod program;
mod server;
mod stories;
mod world;
