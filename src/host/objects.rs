//! Loaded objects: whose code is at this address, and where is the real function that its caller meant?
//!
//! `dlsym(RTLD_NEXT)` finds nothing when the client library came in by `dlopen(RTLD_LOCAL)` (Python and Perl
//! extensions), so the lookup starts from the caller's own object and its dependencies.

use std::{
    ffi::{CStr, CString, c_int, c_void},
    ptr,
    sync::atomic::{AtomicPtr, Ordering::*},
};

use super::{linker, loader};

/// A loaded object (executable or library).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// First address and first address after its segments.
    pub start: usize,
    pub end: usize,
    /// As the loader knows it; empty for the executable.
    pub path: CString,
    /// Its symbols have versions (DT_VERDEF).
    pub versioned: bool,
}

impl Object {
    pub fn contains(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// The last part of its path.
    pub fn file(&self) -> &[u8] {
        let path = self.path.to_bytes();
        path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
    }

    /// Looks `name` up in this object and its dependencies, never in ours.
    pub fn symbol(&self, name: &CStr) -> *mut c_void {
        if self.path.is_empty() {
            return next(name);
        }
        // SAFETY: RTLD_NOLOAD only returns what is loaded already; strings are NUL-terminated. The reference that
        // it takes keeps the object loaded, which is wanted: we remember addresses in it.
        let found = loader::ask(|| unsafe {
            let handle = linker::dlopen(self.path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
            if handle.is_null() { ptr::null_mut() } else { linker::dlsym(handle, name.as_ptr()) }
        });
        if is_ours(found) { next(name) } else { found }
    }
}

/// The definition that comes after ours in the global search order, or null.
pub fn next(name: &CStr) -> *mut c_void {
    loader::ask(|| linker::next(name))
}

/// A call of `name` means the C library's own function, whether it comes through a door of ours or not: no other preload,
/// sanitizer or scheduler of the application stands in between.
pub fn is_the_c_librarys(name: &CStr) -> bool {
    // SAFETY: the string is NUL-terminated.
    let first = loader::ask(|| unsafe { linker::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) });
    let meant = if is_ours(first) { next(name) } else { first };
    // glibc before 2.34 has another definition of some functions in its library of threads.
    let names = [&b"libc.so"[..], b"libc-", b"libpthread"];
    object_of(meant as usize).is_some_and(|object| names.iter().any(|name| object.file().starts_with(name)))
}

fn is_ours(address: *mut c_void) -> bool {
    if address.is_null() {
        return false;
    }
    let here = is_ours as *const () as usize;
    all().into_iter().find(|object| object.contains(here)).is_some_and(|us| us.contains(address as usize))
}

/// The object that `address` lies in.
pub fn object_of(address: usize) -> Option<Object> {
    all().into_iter().find(|object| object.contains(address))
}

/// Every loaded object, in load order.
pub fn all() -> Vec<Object> {
    extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, list: *mut c_void) -> c_int {
        // SAFETY: dl_iterate_phdr passes a valid info and our own pointer to the list.
        let (info, list) = unsafe { (&*info, &mut *list.cast::<Vec<Object>>()) };
        let mut bounds: Option<(usize, usize)> = None;
        let mut versioned = false;
        for at in 0..usize::from(info.dlpi_phnum) {
            // SAFETY: dlpi_phdr points to dlpi_phnum program headers.
            let header = unsafe { &*info.dlpi_phdr.add(at) };
            let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            if header.p_type == libc::PT_DYNAMIC {
                // SAFETY: the dynamic section of a loaded object, readable and ended by DT_NULL.
                versioned = unsafe { defines_versions(start as *const Dynamic) };
            }
            if header.p_type == libc::PT_LOAD {
                let end = start.wrapping_add(header.p_memsz as usize);
                bounds = Some(bounds.map_or((start, end), |(low, high)| (low.min(start), high.max(end))));
            }
        }
        if let Some((start, end)) = bounds {
            let path = if info.dlpi_name.is_null() {
                CString::default()
            } else {
                // SAFETY: a NUL-terminated name owned by the loader, valid during the callback.
                unsafe { CStr::from_ptr(info.dlpi_name) }.to_owned()
            };
            list.push(Object { start, end, path, versioned });
        }
        0
    }
    let mut list: Vec<Object> = Vec::new();
    // SAFETY: the callback matches its declared type and does not unwind.
    loader::ask(|| unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut list).cast()) });
    list
}

/// `ElfN_Dyn` of a 64-bit object.
#[repr(C)]
pub struct Dynamic {
    pub tag: i64,
    pub value: u64,
}

/// # Safety
/// `entry` is the first of a dynamic section that is ended by DT_NULL.
pub unsafe fn defines_versions(mut entry: *const Dynamic) -> bool {
    const DT_NULL: i64 = 0;
    const DT_VERDEF: i64 = 0x6fff_fffc;
    // SAFETY: nothing beyond DT_NULL is read.
    unsafe {
        while (*entry).tag != DT_NULL {
            if (*entry).tag == DT_VERDEF {
                return true;
            }
            entry = entry.add(1);
        }
    }
    false
}

/// The next definition of one libc symbol, looked up once. Its name is handed over each time: a name in here would be a
/// pointer that is relocated only when the library wakes up.
pub struct Next(AtomicPtr<c_void>);

impl Next {
    pub const fn new() -> Self {
        Next(AtomicPtr::new(ptr::null_mut()))
    }

    /// Null if it was not looked up yet.
    #[inline]
    pub fn known(&self) -> *mut c_void {
        self.0.load(Relaxed)
    }

    /// Null only if no object after ours defines it.
    pub fn address(&self, name: &CStr) -> *mut c_void {
        let known = self.known();
        if !known.is_null() {
            return known;
        }
        // Not by `next`: every process comes through the doors of libc, also between fork and exec, and no handler of fork
        // is registered for their sake.
        let found = linker::next(name);
        self.0.store(found, Relaxed);
        found
    }
}

impl Default for Next {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_of_a_libc_function_is_libc() {
        let object = object_of(libc::getpid as *const () as usize).unwrap();
        assert!(object.path.to_string_lossy().contains("libc.so"), "{object:?}");
        assert!(!object.symbol(c"getpid").is_null());
    }

    #[test]
    fn the_executable_has_an_empty_path() {
        let object = object_of(all as *const () as usize).unwrap();
        assert!(object.path.is_empty());
    }
}
