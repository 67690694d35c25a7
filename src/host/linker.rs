//! `dlopen` and `dlsym` of whichever glibc this process has. glibc 2.34 moved both from libdl.so.2 into libc.so.6 and gave
//! them a new version, so a library that names the new ones cannot be loaded by an older glibc, and one that names the old
//! ones makes every process load libdl.so.2. This library names neither: it reads the symbol tables of the loaded objects.
//!
//! Works while the library sleeps (`wake`): nothing here reads a relocated pointer, allocates, or calls an import but
//! `dl_iterate_phdr`, which every glibc has in libc.so.6 under its first version.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering::*},
};

use super::objects::Dynamic;

/// `dlsym`; null where no loaded object has one (glibc before 2.34, in a process without libdl.so.2).
///
/// # Safety
/// See dlsym(3). `RTLD_NEXT` means what follows this library.
pub unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    static REAL: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    let address = known(&REAL, c"dlsym");
    if address.is_null() {
        return address;
    }
    // SAFETY: the C library's function of this name has this signature; the arguments are the caller's.
    unsafe {
        let function: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void = std::mem::transmute(address);
        function(handle, name)
    }
}

/// `dlopen`. Loads libdl.so.2 where that has it and the process does not.
///
/// # Safety
/// See dlopen(3). Not between `vfork` and exec.
pub unsafe extern "C" fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void {
    static REAL: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    let mut address = known(&REAL, c"dlopen");
    if address.is_null() {
        load_libdl();
        address = known(&REAL, c"dlopen");
    }
    if address.is_null() {
        return address;
    }
    // SAFETY: as in `dlsym`.
    unsafe {
        let function: unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void = std::mem::transmute(address);
        function(path, flags)
    }
}

/// The definition of `name` that follows this library in the order in which the objects were loaded, or null.
pub fn next(name: &CStr) -> *mut c_void {
    // SAFETY: a NUL-terminated string.
    let found = unsafe { dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    if found.is_null() { search(name, true) } else { found }
}

fn known(cell: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let known = cell.load(Relaxed);
    if !known.is_null() {
        return known;
    }
    let found = search(name, false);
    cell.store(found, Relaxed);
    found
}

/// What name services are loaded with by a libc.so.6 before 2.34, which has `dlopen` under another name.
#[cold]
fn load_libdl() {
    const INTERNAL: c_int = 0x8000_0000_u32 as c_int;
    let address = search(c"__libc_dlopen_mode", false);
    if !address.is_null() {
        // SAFETY: the C library's function of this name has this signature. What is opened is never closed.
        unsafe {
            let open: unsafe extern "C" fn(*const c_char, c_int) -> *mut c_void = std::mem::transmute(address);
            open(c"libdl.so.2".as_ptr(), libc::RTLD_NOW | INTERNAL);
        }
    }
}

/// What the loader is gone through for.
struct Search<'a> {
    name: &'a CStr,
    hash: u32,
    /// Only objects behind this library count, and it was not reached yet.
    waits_for_us: bool,
    found: *mut c_void,
}

fn search(name: &CStr, behind_us: bool) -> *mut c_void {
    let mut search = Search { name, hash: hash(name), waits_for_us: behind_us, found: ptr::null_mut() };
    // SAFETY: the callback matches its declared type and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.found
}

extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
    // SAFETY: dl_iterate_phdr passes a valid info and the pointer to our search.
    let (info, search) = unsafe { (&*info, &mut *search.cast::<Search>()) };
    let base = info.dlpi_addr as usize;
    let (mut dynamic, mut ours) = (ptr::null::<Dynamic>(), false);
    for at in 0..usize::from(info.dlpi_phnum) {
        // SAFETY: dlpi_phdr points to dlpi_phnum program headers.
        let header = unsafe { &*info.dlpi_phdr.add(at) };
        let start = base.wrapping_add(header.p_vaddr as usize);
        match header.p_type {
            libc::PT_DYNAMIC => dynamic = start as *const Dynamic,
            libc::PT_LOAD => ours |= (visit as *const () as usize).wrapping_sub(start) < header.p_memsz as usize,
            _ => {}
        }
    }
    if ours || search.waits_for_us {
        search.waits_for_us &= !ours;
        return 0;
    }
    if dynamic.is_null() {
        return 0;
    }
    // SAFETY: the dynamic section of a loaded object, which stays loaded during the callback.
    search.found = unsafe { defined(base, dynamic, search) };
    c_int::from(!search.found.is_null())
}

/// `Elf64_Sym`.
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    _other: u8,
    section: u16,
    value: u64,
    _size: u64,
}

/// The function of that name in one object, its default version if it has several, or null.
///
/// # Safety
/// `dynamic` is the dynamic section of an object that is loaded at `base`.
unsafe fn defined(base: usize, mut dynamic: *const Dynamic, search: &Search) -> *mut c_void {
    const STRINGS: i64 = 5;
    const SYMBOLS: i64 = 6;
    const HASHES: i64 = 0x6fff_fef5;
    const VERSIONS: i64 = 0x6fff_fff0;
    let (mut strings, mut symbols, mut hashes, mut versions) = (0, 0, 0, 0);
    // SAFETY: a dynamic section ends with DT_NULL (0), and its tables are what the ELF specification says.
    unsafe {
        while (*dynamic).tag != 0 {
            let value = (*dynamic).value as usize;
            // Where the section can be written to, the loader has made addresses of these offsets.
            let address = if value < base { base + value } else { value };
            match (*dynamic).tag {
                STRINGS => strings = address,
                SYMBOLS => symbols = address,
                HASHES => hashes = address,
                VERSIONS => versions = address,
                _ => {}
            }
            dynamic = dynamic.add(1);
        }
        if strings == 0 || symbols == 0 || hashes == 0 {
            return ptr::null_mut();
        }
        // DT_GNU_HASH: four numbers, a Bloom filter, buckets with their first symbol's index, a hash for each symbol.
        let table = hashes as *const u32;
        let (buckets, first, words, shift) = (*table, *table.add(1), *table.add(2), *table.add(3));
        if buckets == 0 || words == 0 {
            return ptr::null_mut();
        }
        let filter = table.add(4).cast::<u64>();
        let word = *filter.add((search.hash / 64 % words) as usize);
        if word >> (search.hash % 64) & word >> ((search.hash >> shift) % 64) & 1 == 0 {
            return ptr::null_mut();
        }
        let starts = filter.add(words as usize).cast::<u32>();
        let mut index = *starts.add((search.hash % buckets) as usize);
        if index < first {
            return ptr::null_mut();
        }
        let chain = starts.add(buckets as usize);
        let mut found = ptr::null_mut();
        loop {
            let hash = *chain.add((index - first) as usize);
            let symbol = &*(symbols as *const Symbol).add(index as usize);
            let name = CStr::from_ptr((strings + symbol.name as usize) as *const c_char);
            if hash | 1 == search.hash | 1 && is_a_function(symbol) && name == search.name {
                found = base.wrapping_add(symbol.value as usize) as *mut c_void;
                if versions == 0 || *(versions as *const u16).add(index as usize) >> 15 == 0 {
                    return found;
                }
            }
            if hash & 1 == 1 {
                return found;
            }
            index += 1;
        }
    }
}

/// An address that can be called as it is, unlike an indirect function's.
fn is_a_function(symbol: &Symbol) -> bool {
    const FUNCTION: u8 = 2;
    symbol.section != 0 && symbol.value != 0 && symbol.info & 0xf == FUNCTION
}

/// The hash of DT_GNU_HASH.
fn hash(name: &CStr) -> u32 {
    let mut hash = 5381u32;
    let mut at = name.as_ptr().cast::<u8>();
    // SAFETY: not beyond the NUL byte.
    unsafe {
        while *at != 0 {
            hash = hash.wrapping_mul(33).wrapping_add(u32::from(*at));
            at = at.add(1);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_symbol_tables_say_is_what_the_dynamic_linker_says() {
        for name in [c"dlsym", c"dlopen", c"close", c"connect", c"getaddrinfo", c"fcntl", c"pthread_create"] {
            // SAFETY: a NUL-terminated string.
            let asked = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            assert!(!asked.is_null());
            assert_eq!(search(name, false), asked, "{name:?}");
            assert_eq!(search(name, true), asked, "{name:?}, behind the executable");
            assert_eq!(next(name), asked, "{name:?}");
        }
    }

    #[test]
    fn what_nothing_defines_is_not_found() {
        assert!(search(c"pointsman_has_no_such_function", false).is_null());
        assert!(next(c"pointsman_has_no_such_function").is_null());
    }

    #[test]
    fn a_variable_or_an_indirect_function_is_not_taken_for_a_function() {
        assert!(search(c"environ", false).is_null());
        assert!(search(c"strlen", false).is_null());
    }
}
