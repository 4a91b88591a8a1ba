/** System calls of x86-64 that an engine has no need of: they reach into other processes, the kernel, or out of the namespaces. */
const REFUSED: Readonly<Record<string, number>> = {
  ptrace: 101,
  mount: 165,
  umount2: 166,
  pivot_root: 155,
  chroot: 161,
  move_mount: 429,
  open_tree: 428,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
  unshare: 272,
  setns: 308,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  bpf: 321,
  perf_event_open: 298,
  userfaultfd: 323,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  process_vm_readv: 310,
  process_vm_writev: 311,
  process_madvise: 440,
  pidfd_getfd: 438,
  kcmp: 312,
  kexec_load: 246,
  kexec_file_load: 320,
  init_module: 175,
  finit_module: 313,
  delete_module: 176,
  swapon: 167,
  swapoff: 168,
  reboot: 169,
  sethostname: 170,
  setdomainname: 171,
  iopl: 172,
  ioperm: 173,
  settimeofday: 164,
  clock_settime: 227,
  acct: 163,
  quotactl: 179,
  syslog: 103,
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  personality: 135,
};

const ARCH_X86_64 = 0xc000003e;
const X32_BIT = 0x40000000;
const SOCKET = 41;
const AF_UNIX = 1;
const CLONE = 56;
const CLONE3 = 435;
// CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const CLONE_NEW = 0x80 | 0x20000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;

// struct seccomp_data: the number of the call, the architecture, and the low half of the first argument.
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

/**
 * A seccomp filter (seccomp(2), classic BPF, one `struct sock_filter` of 8 bytes per instruction) for `bwrap --seccomp`. Refuses the
 * calls above with EPERM, sockets other than AF_UNIX, new namespaces; `clone3`, whose flags it cannot see, is not there; another
 * architecture or the x32 numbers end the process. Null where no filter is known for the processor.
 */
export function seccompFilter(architecture: string): Buffer | null {
  if (architecture !== 'x64') return null;
  const program: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [EQUAL, 1, 0, ARCH_X86_64],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER],
    [AT_LEAST, 0, 1, X32_BIT],
    [RETURN, 0, 0, KILL_PROCESS],
    [EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, ENOSYS],
  ];
  for (const number of Object.values(REFUSED)) program.push([EQUAL, 0, 1, number], [RETURN, 0, 0, EPERM]);
  program.push(
    [EQUAL, 0, 4, SOCKET],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [EQUAL, 0, 1, AF_UNIX],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, EPERM],
    [EQUAL, 0, 3, CLONE],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [ANY_BIT, 0, 1, CLONE_NEW >>> 0],
    [RETURN, 0, 0, EPERM],
    [RETURN, 0, 0, ALLOW],
  );
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  }
  return bytes;
}
