/* The boot sector of kvmprobe.py: what every kernel does first, in 512 bytes.
 *
 * Real mode, page tables, long mode, fifty million turns of a loop, cpuid, then a timer interrupt whose handler
 * writes to QEMU's isa-debug-exit device. A machine where any of it is missing, or emulated a thousand times too
 * slowly, does not get there in time. Assembled with:
 *   gcc -c -nostdlib -o probe.o kvmprobe.S && ld -Ttext 0x7c00 --oformat binary -o probe.bin probe.o
 */
    .code16
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    cld
    # Page tables at 0x1000, 0x2000 and 0x3000 map the first 2 MiB onto themselves.
    movw $0x1000, %di
    xorl %eax, %eax
    movw $0x0c00, %cx
    rep stosl
    movw $0x2003, 0x1000
    movw $0x3003, 0x2000
    movw $0x0083, 0x3000
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    lgdt gdtr
    ljmp $0x08, $long64
    .code64
long64:
    movl $50000000, %ecx
spin:
    decl %ecx
    jnz spin
    # The timer comes as interrupt 0x20.
    movl $0x4000, %edi
    leaq irq(%rip), %rax
    movw %ax, 0x200(%rdi)
    movw $0x08, 0x202(%rdi)
    movw $0x8e00, 0x204(%rdi)
    shrq $16, %rax
    movw %ax, 0x206(%rdi)
    movl $0, 0x208(%rdi)
    lidt idtr
    xorl %eax, %eax
    cpuid
    # The interrupt controller lets only the timer through.
    movb $0x11, %al
    outb %al, $0x20
    movb $0x20, %al
    outb %al, $0x21
    movb $0x04, %al
    outb %al, $0x21
    movb $0x01, %al
    outb %al, $0x21
    movb $0xfe, %al
    outb %al, $0x21
    # A hundred ticks a second.
    movb $0x34, %al
    outb %al, $0x43
    movb $0x9c, %al
    outb %al, $0x40
    movb $0x2e, %al
    outb %al, $0x40
    sti
wait:
    hlt
    jmp wait
irq:
    movw $0x501, %dx
    movb $0x29, %al
    outb %al, %dx
    hlt
    .align 8
gdt:
    .quad 0
    .quad 0x00209a0000000000
    .quad 0x0000920000000000
gdtr:
    .word 23
    .long gdt
idtr:
    .word 0x20f
    .quad 0x4000
    .org 510
    .word 0xaa55
