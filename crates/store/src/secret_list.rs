//! secret_list
