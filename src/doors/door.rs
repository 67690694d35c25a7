//! The macros that make a door: an exported symbol whose body also knows its caller's return address.
//!
//! There is no stable intrinsic for a return address, so the exported symbol is a naked stub: it hands the return
//! address to the Rust body as one argument more and jumps there. The stub builds no frame, so unwinding (thread
//! cancellation) and the callee's stack arguments are unaffected.

/// The instruction that puts the return address into the argument register after the given arguments.
#[cfg(target_arch = "x86_64")]
macro_rules! hand_over_caller {
    () => {
        "mov rdi, [rsp]"
    };
    ($a:ident) => {
        "mov rsi, [rsp]"
    };
    ($a:ident $b:ident) => {
        "mov rdx, [rsp]"
    };
    ($a:ident $b:ident $c:ident) => {
        "mov rcx, [rsp]"
    };
    ($a:ident $b:ident $c:ident $d:ident) => {
        "mov r8, [rsp]"
    };
    ($a:ident $b:ident $c:ident $d:ident $e:ident) => {
        "mov r9, [rsp]"
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! hand_over_caller {
    () => {
        "mov x0, x30"
    };
    ($a:ident) => {
        "mov x1, x30"
    };
    ($a:ident $b:ident) => {
        "mov x2, x30"
    };
    ($a:ident $b:ident $c:ident) => {
        "mov x3, x30"
    };
    ($a:ident $b:ident $c:ident $d:ident) => {
        "mov x4, x30"
    };
    ($a:ident $b:ident $c:ident $d:ident $e:ident) => {
        "mov x5, x30"
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! jump {
    () => {
        "jmp {body}"
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! jump {
    () => {
        "b {body}"
    };
}

/// Calls the body of a function of eight arguments with the return address as its ninth. This takes a frame, which is
/// described to the unwinder.
#[cfg(target_arch = "x86_64")]
macro_rules! call_with_caller_as_ninth {
    () => {
        ".cfi_startproc
         push qword ptr [rsp]
         .cfi_adjust_cfa_offset 8
         push qword ptr [rsp + 24]
         .cfi_adjust_cfa_offset 8
         push qword ptr [rsp + 24]
         .cfi_adjust_cfa_offset 8
         call {body}
         add rsp, 24
         .cfi_adjust_cfa_offset -24
         ret
         .cfi_endproc"
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! call_with_caller_as_ninth {
    () => {
        ".cfi_startproc
         stp x29, x30, [sp, #-16]!
         .cfi_def_cfa_offset 16
         .cfi_offset 29, -16
         .cfi_offset 30, -8
         mov x29, sp
         str x30, [sp, #-16]!
         .cfi_def_cfa_offset 32
         bl {body}
         add sp, sp, #16
         .cfi_def_cfa_offset 16
         ldp x29, x30, [sp], #16
         .cfi_def_cfa_offset 0
         ret
         .cfi_endproc"
    };
}

/// Doors of libc functions. The signature is checked against the `libc` crate's declaration at compile time.
macro_rules! libc_doors {
    ($( $(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty, |$real:ident| $body:block )*) => {$(
        const _: unsafe extern "C" fn($($ty),*) -> $ret = libc::$name;

        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($arg: $ty),*) -> $ret {
            type Signature = unsafe extern "C" fn($($ty),*) -> $ret;
            use $crate::doors::reals::REALS;
            const NAME: &core::ffi::CStr = match core::ffi::CStr::from_bytes_with_nul(
                concat!(stringify!($name), "\0").as_bytes()
            ) { Ok(name) => name, Err(_) => panic!() };
            let address = REALS.address(&REALS.$name, NAME);
            if address.is_null() {
                $crate::host::errno::set(libc::ENOSYS);
                return -1;
            }
            // SAFETY: the next definition of this symbol in the search order has the same C signature.
            let function: Signature = unsafe { core::mem::transmute(address) };
            // SAFETY: the arguments are the caller's own, handed on unchanged.
            let $real = move || unsafe { function($($arg),*) };
            $body
        }
    )*};
}

/// Doors of client library functions, which wake the library. The body gets `call` (who calls, which library) and `real`, the real function
/// with the caller's own arguments.
///
/// `from`: where their real functions begin in a library's table.
macro_rules! mysql_doors {
    (from $first:expr; $( $(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty, $failed:expr, |$call:ident, $real:ident| $body:block )*) => {
        /// One per door: the index of its real function in a library's table.
        #[allow(non_camel_case_types)]
        #[repr(usize)]
        enum Door { $($name,)* Count }

        /// The place behind the last of them.
        pub(super) const END: usize = $first + Door::Count as usize;

        const _: () = assert!(END < $crate::client::layout::library::DOORS);

        $(
            $(#[$doc])*
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            pub extern "C" fn $name($($arg: $ty),*) -> $ret {
                type Signature = unsafe extern "C" fn($($ty),*) -> $ret;
                const NAME: &core::ffi::CStr = match core::ffi::CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes()
                ) { Ok(name) => name, Err(_) => panic!() };
                extern "C" fn body($($arg: $ty,)* caller: usize) -> $ret {
                    if $crate::doors::wake::wake() {
                        return awake($($arg,)* caller);
                    }
                    let address = $crate::doors::wake::real_of(NAME, caller);
                    if address.is_null() {
                        return $failed;
                    }
                    // SAFETY: the symbol of this name in a MySQL client library has this C signature.
                    let function: Signature = unsafe { core::mem::transmute(address) };
                    // SAFETY: the arguments are the caller's own, handed on unchanged.
                    unsafe { function($($arg),*) }
                }
                // Not inlined: nothing of it may be done before the library is awake.
                #[inline(never)]
                extern "C" fn awake($($arg: $ty,)* caller: usize) -> $ret {
                    let $call = $crate::client::Call::from(caller);
                    let address = $call.real($first + Door::$name as usize, NAME);
                    if address.is_null() {
                        return $failed;
                    }
                    // SAFETY: the symbol of this name in a MySQL client library has this C signature.
                    let function: Signature = unsafe { core::mem::transmute(address) };
                    // SAFETY: the arguments are the caller's own, handed on unchanged.
                    let $real = move || unsafe { function($($arg),*) };
                    $body
                }
                core::arch::naked_asm!(hand_over_caller!($($arg)*), jump!(), body = sym body)
            }
        )*
    };
}
