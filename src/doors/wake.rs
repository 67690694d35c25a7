//! Sleep and waking. A process that never talks to MySQL must not pay for us, and most processes that inherit LD_PRELOAD
//! never do. So the library is loaded asleep: its relative relocations are in a table that the dynamic linker does not
//! know (`build.rs`), its functions of other libraries are not looked up (`imports`), libgcc_s is not loaded. The first
//! call of a MySQL function wakes it.
//!
//! **What runs in a sleeping library must not read a pointer from its data** (a table of strings, a vtable, a `static`
//! with a reference in it), nor call an import, nor panic: that is this file, `imports`, and the doors of libc while
//! there is no `Process`. Addresses in the code itself are relative to it and need nothing. `tests/tests/asleep.rs` goes
//! through all of these doors.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    mem, ptr,
    sync::atomic::{AtomicBool, AtomicI32, Ordering::*},
};

use super::imports::{self, early};
use crate::host::{errno, linker, loader, objects};

const ASLEEP: i32 = 0;
const AWAKE: i32 = -1;
/// Something is missing that the library needs: it sleeps on, and every call passes through. A connect tries again.
const UNABLE: i32 = -2;

/// Or the id of the process in which a thread is waking it.
static STATE: AtomicI32 = AtomicI32::new(ASLEEP);

/// Wakes the library if it sleeps; false if it cannot be woken.
#[inline]
pub fn wake() -> bool {
    STATE.load(Acquire) == AWAKE || wake_now()
}

/// Wakes the library for a connect: what was missing (descriptors, memory) may be there by now.
#[inline]
pub fn wake_to_connect() -> bool {
    let _ = STATE.compare_exchange(UNABLE, ASLEEP, AcqRel, Relaxed);
    wake()
}

#[cold]
#[inline(never)]
extern "C" fn wake_now() -> bool {
    if STATE.load(Acquire) == UNABLE {
        return false;
    }
    let kept = errno::get();
    let missing = loader::ask(imports::look_up);
    let awake = if missing.is_null() { with_signals_blocked() } else { gives_up(missing) };
    errno::set(kept);
    awake
}

/// A signal handler of the application that came here while its own thread is in the middle would wait for itself.
fn with_signals_blocked() -> bool {
    // SAFETY: sets of signals are plain data; all pointers are valid.
    unsafe {
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = (mem::zeroed(), mem::zeroed());
        let mask = early!(pthread_sigmask:
            unsafe extern "C" fn(c_int, *const libc::sigset_t, *mut libc::sigset_t) -> c_int);
        early!(sigfillset: unsafe extern "C" fn(*mut libc::sigset_t) -> c_int)(&mut all);
        mask(libc::SIG_SETMASK, &all, &mut before);
        let done = relocate_once();
        mask(libc::SIG_SETMASK, &before, ptr::null_mut());
        done
    }
}

/// The first thread does it, others wait for it. Nothing of it takes longer than a system call.
fn relocate_once() -> bool {
    let process = pid();
    loop {
        match STATE.compare_exchange(ASLEEP, process, AcqRel, Acquire) {
            Ok(_) => break,
            Err(AWAKE) => return true,
            Err(UNABLE) => return false,
            // SAFETY: no arguments.
            Err(other) if other == process => _ = unsafe { libc::sched_yield() },
            // We were forked while another thread was at it, which is not here: what it has begun is done over.
            Err(other) => {
                if STATE.compare_exchange(other, process, AcqRel, Acquire).is_ok() {
                    break;
                }
            }
        }
    }
    // SAFETY: no other thread is at it, and nothing has used the relocated data yet.
    unsafe { relocate() };
    STATE.store(AWAKE, Release);
    true
}

fn pid() -> i32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { early!(getpid: unsafe extern "C" fn() -> libc::pid_t)() }
}

/// The relocations that the dynamic linker has left to us, if there are any: a build without them was relocated by it.
///
/// # Safety
/// Called by one thread at a time, before anything uses the relocated data.
unsafe fn relocate() {
    /// DT_ANDROID_RELR, DT_ANDROID_RELRSZ: the same as DT_RELR, which only glibc 2.36 and newer would obey.
    const TABLE: i64 = 0x6fff_e000;
    const TABLE_SIZE: i64 = 0x6fff_e001;
    let (base, mut dynamic) = own_addresses();
    let (mut table, mut size) = (0, 0);
    // SAFETY: our own dynamic section, which ends with DT_NULL (0).
    unsafe {
        while (*dynamic).tag != 0 {
            match (*dynamic).tag {
                TABLE => table = base + (*dynamic).value as usize,
                TABLE_SIZE => size = (*dynamic).value as usize,
                _ => {}
            }
            dynamic = dynamic.add(1);
        }
    }
    if table == 0 {
        return;
    }
    // SAFETY: the linker's table of our own object, of which nothing is protected (`norelro`).
    unsafe { apply(base, table as *const u64, size / size_of::<u64>()) }
}

/// DT_RELR (generic ELF specification): an even entry is the offset of a word, an odd one the bitmap of the 63 that follow.
///
/// # Safety
/// `table` has `count` entries, which name words of the object that was loaded at `base`.
unsafe fn apply(base: usize, table: *const u64, count: usize) {
    let mut at: *mut usize = ptr::null_mut();
    for entry in 0..count {
        // SAFETY: as the caller vouches. Volatile: the compiler must not think of a `static` that no code changes.
        unsafe {
            let entry = table.add(entry).read_volatile();
            if entry & 1 == 0 {
                at = (base + entry as usize) as *mut usize;
                shift(at, base);
                at = at.add(1);
                continue;
            }
            let mut bits = entry >> 1;
            let mut word = at;
            while bits != 0 {
                if bits & 1 != 0 {
                    shift(word, base);
                }
                (bits, word) = (bits >> 1, word.add(1));
            }
            at = at.add(63);
        }
    }
}

/// # Safety
/// `word` is ours and holds an offset in our object, or the address that was made of one already: the object is far
/// smaller than the addresses at which libraries are loaded.
unsafe fn shift(word: *mut usize, base: usize) {
    // SAFETY: as the caller vouches.
    unsafe {
        let value = word.read_volatile();
        if value < base / 2 {
            word.write_volatile(base + value);
        }
    }
}

/// Where our own object begins, and its dynamic section, by their distance from here.
fn own_addresses() -> (usize, *const objects::Dynamic) {
    let (base, dynamic);
    // SAFETY: computes addresses of symbols that the linker defines in every object.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!(
            ".hidden __ehdr_start", ".hidden _DYNAMIC",
            "lea {}, [rip + __ehdr_start]", "lea {}, [rip + _DYNAMIC]",
            out(reg) base, out(reg) dynamic, options(pure, nomem, nostack));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!(
            ".hidden __ehdr_start", ".hidden _DYNAMIC",
            "adrp {0}, __ehdr_start", "add {0}, {0}, :lo12:__ehdr_start",
            "adrp {1}, _DYNAMIC", "add {1}, {1}, :lo12:_DYNAMIC",
            out(reg) base, out(reg) dynamic, options(pure, nomem, nostack));
    }
    (base, dynamic)
}

/// A library or a function that we need is missing: said once.
#[cold]
fn gives_up(missing: *const c_char) -> bool {
    static SAID: AtomicBool = AtomicBool::new(false);
    let _ = STATE.compare_exchange(ASLEEP, UNABLE, AcqRel, Acquire);
    if !SAID.swap(true, Relaxed) {
        say(missing);
    }
    // Another thread may have had more luck.
    STATE.load(Acquire) == AWAKE
}

/// One line on standard error, unless the library is switched off. The log is asleep too.
fn say(missing: *const c_char) {
    let mut line = [0u8; 512];
    let mut length = 0;
    let mut push = |text: *const c_char| {
        let mut text = text.cast::<u8>();
        // SAFETY: a NUL-terminated string, of which no more is copied than the line has room for.
        unsafe {
            while !text.is_null() && *text != 0 && length < line.len() - 1 {
                line.as_mut_ptr().add(length).write_volatile(*text);
                (text, length) = (text.add(1), length + 1);
            }
        }
    };
    let mut digits = [0u8; 12];
    let mut at = digits.len() - 1;
    let mut number = pid();
    while number > 0 && at > 0 {
        at -= 1;
        // SAFETY: `at` is within the digits.
        unsafe { *digits.as_mut_ptr().add(at) = b'0' + (number % 10) as u8 };
        number /= 10;
    }
    push(c"pointsman[".as_ptr());
    push(digits.as_ptr().wrapping_add(at).cast());
    push(c"] ERROR: cannot protect this process, all calls pass through: there is no usable ".as_ptr());
    push(missing);
    // SAFETY: `length` is less than the line's; NUL-terminated strings.
    unsafe {
        *line.as_mut_ptr().add(length) = b'\n';
        let switch = early!(getenv: unsafe extern "C" fn(*const c_char) -> *mut c_char)(c"POINTSMAN".as_ptr());
        let compare = early!(strcasecmp: unsafe extern "C" fn(*const c_char, *const c_char) -> c_int);
        if switch.is_null() || compare(switch, c"off".as_ptr()) != 0 {
            let write = early!(write: unsafe extern "C" fn(c_int, *const c_void, usize) -> isize);
            write(2, line.as_ptr().cast(), length + 1);
        }
    }
}

/// The real function of a client library for a library that cannot wake up: what the dynamic linker would have given to
/// the caller without us (see `client/layout/library.rs`).
#[cold]
#[inline(never)]
pub fn real_of(name: &CStr, caller: usize) -> *mut c_void {
    let global = objects::next(name);
    let own = in_the_scope_of(caller, name);
    if own.is_null() || !global.is_null() && !is_versioned(own) { global } else { own }
}

/// A definition in the caller's object or its dependencies that is not ours.
fn in_the_scope_of(caller: usize, name: &CStr) -> *mut c_void {
    // SAFETY: valid pointers; RTLD_NOLOAD only finds what is loaded, and the caller's object stays so.
    unsafe {
        let dladdr = early!(dladdr: unsafe extern "C" fn(*const c_void, *mut libc::Dl_info) -> c_int);
        let mut info: libc::Dl_info = mem::zeroed();
        if dladdr(caller as *const c_void, &mut info) == 0 {
            return ptr::null_mut();
        }
        let object = linker::dlopen(info.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if object.is_null() {
            return ptr::null_mut();
        }
        let found = linker::dlsym(object, name.as_ptr());
        early!(dlclose: unsafe extern "C" fn(*mut c_void) -> c_int)(object);
        let ours = dladdr(found, &mut info) != 0 && info.dli_fbase == own_addresses().0 as *mut c_void;
        if ours { ptr::null_mut() } else { found }
    }
}

fn is_versioned(address: *const c_void) -> bool {
    const RTLD_DL_LINKMAP: c_int = 2;
    /// `struct link_map` of <link.h>, its public beginning.
    #[repr(C)]
    struct LinkMap {
        _base: usize,
        _name: *const c_char,
        dynamic: *const objects::Dynamic,
    }
    // SAFETY: valid pointers; a loaded object's dynamic section is ended by DT_NULL.
    unsafe {
        let dladdr1 = early!(dladdr1:
            unsafe extern "C" fn(*const c_void, *mut libc::Dl_info, *mut *mut c_void, c_int) -> c_int);
        let (mut info, mut map): (libc::Dl_info, *mut c_void) = (mem::zeroed(), ptr::null_mut());
        dladdr1(address, &mut info, &mut map, RTLD_DL_LINKMAP) != 0
            && !map.is_null()
            && objects::defines_versions((*map.cast::<LinkMap>()).dynamic)
    }
}
