//! Functions of other libraries that the dynamic linker does not look up when a process starts: a lookup costs a process
//! that never talks to MySQL as much as thirty relocations. Each is a jump through a slot, which is filled when the
//! library wakes up (`wake`), and must not be called before.
//!
//! Not in the list, so looked up at once: what a sleeping library calls (`dl_iterate_phdr`, `__errno_location`, what
//! `loader` needs, and the `mem*` functions, to which a compiler may turn any loop). A function that is missing here costs
//! time, and must be one that glibc 2.28 has in libc.so.6 under the version of the build's glibc. `own` has the others.
//!
//! A compiler calls them through the global offset table, which is not relocated either while the library sleeps; what has
//! to be called on the way to waking is reached by [`early`].
//!
//! libgcc_s is not even loaded before: that took a third of all the time.

use std::ffi::{c_char, c_void};

use crate::host::linker;

macro_rules! imports {
    ($( $library:literal: $($name:ident)* ;)*) => {
        /// Library, its functions, an empty name; and so on. Without pointers, which would have to be relocated.
        static NAMES: &str = concat!($($library, "\0", $(stringify!($name), "\0",)* "\0",)*);
        /// How many slots there are.
        const COUNT: usize = [$($(stringify!($name)),*),*].len();

        std::arch::global_asm!(
            ".pushsection .bss.pointsman_slots, \"aw\", @nobits",
            ".balign 8",
            // crtbeginS.o has it, which is not linked: what tells the loader whose a thread-local's destructor is.
            ".weak __dso_handle",
            ".hidden __dso_handle",
            "__dso_handle: .zero 8",
            ".hidden pointsman_slots",
            "pointsman_slots:",
            ".popsection",
            $($(import!($name),)*)*
        );
    };
}

/// The slot of an import, and where its jump begins. Weak: std may ask whether there is such a function at all.
macro_rules! slot {
    ($name:ident) => {
        concat!(
            ".pushsection .bss.pointsman_slots, \"aw\", @nobits\n",
            ".Lslot_",
            stringify!($name),
            ": .zero 8\n.popsection\n",
            ".pushsection .text.pointsman_imports, \"ax\", @progbits\n",
            ".weak ",
            stringify!($name),
            "\n.hidden ",
            stringify!($name),
            "\n",
            ".type ",
            stringify!($name),
            ", @function\n",
            stringify!($name),
            ":\n",
        )
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! import {
    ($name:ident) => {
        concat!(slot!($name), "jmp qword ptr [rip + .Lslot_", stringify!($name), "]\n.popsection")
    };
}
#[cfg(target_arch = "aarch64")]
macro_rules! import {
    ($name:ident) => {
        concat!(
            slot!($name),
            "adrp x16, .Lslot_",
            stringify!($name),
            "\n",
            "ldr x16, [x16, :lo12:.Lslot_",
            stringify!($name),
            "]\nbr x16\n.popsection"
        )
    };
}

imports! {
    // The unwinder that pthread_cancel uses too: never one that happens to be in the global scope.
    "libgcc_s.so.1": _Unwind_Backtrace _Unwind_DeleteException _Unwind_GetDataRelBase _Unwind_GetIP _Unwind_GetIPInfo
        _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException
        _Unwind_Resume _Unwind_SetGR _Unwind_SetIP;
    "libm.so.6": exp pow;
    // Time as the kernel has it: of other preloads some tell the application another (libfaketime), and not always the same,
    // while what waits for a moment waits in the kernel.
    "libc.so.6": clock_gettime clock_nanosleep epoll_wait poll;
    // The global scope, in which a program may have an allocator of its own.
    "": __cxa_thread_atexit_impl __xpg_strerror_r abort bind calloc
        dladdr dladdr1 dlclose epoll_create1 epoll_ctl eventfd free getauxval getcwd getenv
        gethostname getpeername getpid getrandom getsockname getsockopt ioctl lseek64 madvise malloc mmap mmap64 mprotect munmap open open64
        pause
        posix_memalign pthread_attr_destroy pthread_attr_getguardsize pthread_attr_getstack pthread_attr_init
        pthread_attr_setstacksize pthread_create pthread_detach pthread_getattr_np pthread_join pthread_key_create
        pthread_key_delete pthread_self pthread_setcancelstate pthread_setname_np pthread_setspecific pthread_sigmask
        read readlink realloc realpath recvfrom sched_getaffinity send sendto setsockopt shutdown
        sigaction sigaddset sigaltstack sigdelset sigemptyset sigfillset sigismember sigpending sigtimedwait socket statx strcasecmp syscall
        sysconf write writev;
}

/// An import as a function, by its distance from here: callable as soon as the slots are filled. Its signature is checked
/// against the `libc` crate's declaration. Unsafe: before that it jumps to nowhere.
macro_rules! early {
    ($name:ident: $signature:ty) => {{
        const _: $signature = libc::$name;
        let address: usize;
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!(concat!("lea {}, [rip + ", stringify!($name), "]"), out(reg) address,
            options(pure, nomem, nostack));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!(concat!("adrp {0}, ", stringify!($name)), concat!("add {0}, {0}, :lo12:", stringify!($name)),
            out(reg) address, options(pure, nomem, nostack));
        std::mem::transmute::<usize, $signature>(address)
    }};
}
pub(super) use early;

/// Fills every slot. Gives back what is missing first, a library or a function, else null. Any number of threads may do so at the same time: they find the same.
/// Calls nothing but the loader, and reads nothing that would have to be relocated.
pub fn look_up() -> *const c_char {
    let mut missing: *const c_char = std::ptr::null();
    let mut slot = slots();
    let mut name = NAMES.as_ptr();
    let mut left = COUNT;
    while left > 0 {
        let library = open(name);
        if library.is_none() && missing.is_null() {
            missing = name.cast();
        }
        name = after(name);
        // SAFETY: within NAMES, whose groups end with an empty name; as many slots as names.
        unsafe {
            while *name != 0 {
                let found = find(library, name.cast());
                if !found.is_null() {
                    slot.write_volatile(found);
                } else if missing.is_null() {
                    missing = name.cast();
                }
                (slot, name, left) = (slot.add(1), after(name), left - 1);
            }
            name = name.add(1);
        }
    }
    missing
}

fn slots() -> *mut *mut c_void {
    let slots;
    // SAFETY: computes an address in our own object.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("lea {}, [rip + pointsman_slots]", out(reg) slots, options(pure, nomem, nostack));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("adrp {0}, pointsman_slots", "add {0}, {0}, :lo12:pointsman_slots", out(reg) slots,
            options(pure, nomem, nostack));
    }
    slots
}

/// The name that follows.
fn after(mut name: *const u8) -> *const u8 {
    // SAFETY: within NAMES, of which every name ends with a NUL byte.
    unsafe {
        while *name != 0 {
            name = name.add(1);
        }
        name.add(1)
    }
}

/// Loads the library with that name, if it is not loaded; the global scope for an empty name.
fn open(library: *const u8) -> Option<*mut c_void> {
    // SAFETY: a NUL-terminated name. What is opened is never closed.
    unsafe {
        if *library == 0 {
            return Some(libc::RTLD_DEFAULT);
        }
        let handle = linker::dlopen(library.cast(), libc::RTLD_NOW);
        (!handle.is_null()).then_some(handle)
    }
}

fn find(library: Option<*mut c_void>, name: *const c_char) -> *mut c_void {
    let Some(library) = library else { return std::ptr::null_mut() };
    // SAFETY: an open library, or the global scope, and NUL-terminated names.
    unsafe {
        let mut found = linker::dlsym(library, name);
        if library == libc::RTLD_DEFAULT {
            // glibc before 2.34 has threads and the linker's functions in libraries of their own.
            let mut others = [c"libpthread.so.0".as_ptr(), c"libdl.so.2".as_ptr()].into_iter();
            while let (true, Some(other)) = (found.is_null(), others.next()) {
                let other = linker::dlopen(other, libc::RTLD_NOW);
                if !other.is_null() {
                    found = linker::dlsym(other, name);
                }
            }
        }
        found
    }
}
