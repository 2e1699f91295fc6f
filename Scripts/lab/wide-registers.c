/* Lets User-Mode-Linux 6.1 run on CPUs with AMX: preloaded into linux.uml.

   UML keeps a process's vector registers in a buffer that ends with AVX-512, and the host's ptrace(2)
   refuses to set fewer bytes than the CPU has (EFAULT): the first program of the guest dies. Here
   what UML sets is filled up with zeros. Guests never use the registers that it does not know, and
   zeros in the rest of the buffer say just that: its header, which UML has, calls them unused.

   Build: cc -O1 -shared -fPIC wide-registers.c -o wide-registers.so */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

static long (*real_ptrace)(int, pid_t, void *, void *);

__attribute__((constructor)) static void find_ptrace(void) {
  real_ptrace = (long (*)(int, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
}

/* Not on the stack: UML's kernel stacks are small. Its one CPU sets registers one at a time. */
static char all_registers[1 << 16];

static long set_registers(pid_t process, const struct iovec *given) {
  static size_t size;
  if (size == 0) {
    struct iovec whole = {all_registers, sizeof all_registers};
    long result = real_ptrace(PTRACE_GETREGSET, process, (void *)NT_X86_XSTATE, &whole);
    if (result < 0) return result;
    size = whole.iov_len;
  }
  if (given->iov_len >= size) {
    return real_ptrace(PTRACE_SETREGSET, process, (void *)NT_X86_XSTATE, (void *)given);
  }
  memcpy(all_registers, given->iov_base, given->iov_len);
  memset(all_registers + given->iov_len, 0, size - given->iov_len);
  struct iovec whole = {all_registers, size};
  return real_ptrace(PTRACE_SETREGSET, process, (void *)NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...) {
  va_list arguments;
  va_start(arguments, request);
  pid_t process = va_arg(arguments, pid_t);
  void *address = va_arg(arguments, void *);
  void *data = va_arg(arguments, void *);
  va_end(arguments);
  if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
    return set_registers(process, data);
  }
  return real_ptrace(request, process, address, data);
}
