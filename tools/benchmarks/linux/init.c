/* The first and only program of the Linux guest: it measures what the system does for a program, then
 * has the module measure inside the kernel, and switches the machine off. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "measure.h"

#define PAGE 4096
#define SLEEPERS 500

static void report(const char *row, const char *how, unsigned long ticks)
{
	printf("row %s user %s %lu\n", row, how, ticks);
}

static void must(int worked, const char *what)
{
	if (!worked) {
		printf("failed: %s: %s\n", what, strerror(errno));
		reboot(RB_POWER_OFF);
	}
}

/* Two threads that yield to each other. */

static atomic_bool stop;
static volatile int last;
static volatile unsigned long switches;

/* Only a yield after which the other one ran counts: the fair policy often goes on with the same. */
static void yield_as(int self)
{
	switches += last != self;
	last = self;
	sched_yield();
}

static void *yields(void *unused)
{
	while (!atomic_load(&stop))
		yield_as(1);
	return unused;
}

static void policy(int number, int priority)
{
	struct sched_param parameters = {.sched_priority = priority};

	must(sched_setscheduler(0, number, &parameters) == 0, "scheduling policy");
}

static void measure_yield(const char *how)
{
	pthread_t other;

	atomic_store(&stop, 0);
	must(pthread_create(&other, NULL, yields, NULL) == 0, "thread");
	for (int warm = 0; warm < 100; warm++)
		yield_as(0);
	unsigned long before = switches, ticks = timestamp();

	for (int number = 0; number < 4000; number++)
		yield_as(0);
	report("yield", how, (timestamp() - ticks) / (switches - before));
	atomic_store(&stop, 1);
	pthread_join(other, NULL);
}

/* The life of a thread and of a program. */

static void *nothing(void *unused)
{
	return unused;
}

static void spawn(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static char *const no_words[] = {"hello", NULL};

static void fork_and_execute(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execve("/hello", no_words, NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static posix_spawn_file_actions_t no_output;

static void spawn_program(void)
{
	pid_t child;

	if (posix_spawn(&child, "/hello_libc", &no_output, NULL, no_words, NULL) == 0)
		waitpid(child, NULL, 0);
}

static void measure_programs(void)
{
	int console = dup(1);
	int null = open("/null", O_WRONLY);

	must(null >= 0 && console >= 0, "null device");
	posix_spawn_file_actions_init(&no_output);
	fflush(stdout);
	dup2(null, 1);
	unsigned long forked = COST(20, fork_and_execute());
	unsigned long spawned = COST(20, spawn_program());
	dup2(console, 1);
	report("application", "vfork+exec", forked);
	report("application", "posix_spawn", spawned);
}

/* Memory. */

static void map(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return;
	for (size_t page = 0; page < bytes; page += PAGE)
		*(volatile char *)(memory + page) = 1;
	munmap(memory, bytes);
}

static void allocate_and_free(void)
{
	void *volatile block = malloc(64);

	free(block);
}

static void *volatile blocks[100];

static void allocate_many_and_free(void)
{
	for (int index = 0; index < 100; index++)
		blocks[index] = malloc(64);
	for (int index = 0; index < 100; index++)
		free(blocks[index]);
}

/* Messages between two threads. */

static atomic_int turn;

static void futex(int operation, int value)
{
	syscall(SYS_futex, &turn, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void wait_for(int wanted)
{
	int seen;

	while ((seen = atomic_load(&turn)) != wanted && seen != 2)
		futex(FUTEX_WAIT, seen);
}

static void pass(int next)
{
	atomic_store(&turn, next);
	futex(FUTEX_WAKE, 1);
}

static void *answers_by_futex(void *unused)
{
	(void)unused;
	for (;;) {
		wait_for(1);
		if (atomic_load(&turn) == 2)
			return NULL;
		pass(0);
	}
}

static void ask_by_futex(void)
{
	pass(1);
	wait_for(0);
}

static int questions[2], answers[2];

static void *answers_by_pipe(void *unused)
{
	char byte;

	(void)unused;
	while (read(questions[0], &byte, 1) == 1)
		if (write(answers[1], &byte, 1) != 1)
			break;
	return NULL;
}

static void ask_by_pipe(void)
{
	char byte = 1;

	if (write(questions[1], &byte, 1) == 1 && read(answers[0], &byte, 1) != 1)
		return;
}

static void measure_messages(void)
{
	pthread_t other;

	must(pthread_create(&other, NULL, answers_by_futex, NULL) == 0, "thread");
	report("ipc", "futex", COST(200, ask_by_futex()));
	pass(2);
	pthread_join(other, NULL);
	must(pipe(questions) == 0 && pipe(answers) == 0, "pipe");
	must(pthread_create(&other, NULL, answers_by_pipe, NULL) == 0, "thread");
	report("ipc", "pipe", COST(200, ask_by_pipe()));
	close(questions[1]);
	pthread_join(other, NULL);
}

/* Interrupts and exceptions. */

static void measure_tick(void)
{
	unsigned long last = timestamp(), loop = ~0UL, longest = 0, sum = 0, count = 0;

	/* What is longer than any step of the loop is an interrupt. */
	for (int step = 0; step < 1000; step++) {
		unsigned long now = timestamp();

		if (now - last < loop)
			loop = now - last;
		last = now;
	}
	while (count < 100) {
		unsigned long now = timestamp(), gap = now - last;

		last = now;
		if (gap > loop + 200) {
			sum += gap - loop;
			count++;
			if (gap > longest)
				longest = gap;
		}
	}
	report("tick", "busy-loop", (sum - longest) / (count - 1));
}

extern char after_division[];

static void skip_division(int signal, siginfo_t *information, void *context)
{
	(void)signal;
	(void)information;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)after_division;
}

static __attribute__((noinline, noclone)) void divide_by_zero(void)
{
	__asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx;"
			 ".globl after_division; after_division:"
			 : : : "eax", "ecx", "edx", "memory");
}

static void measure_exception(void)
{
	struct sigaction action = {.sa_sigaction = skip_division, .sa_flags = SA_SIGINFO};

	must(sigaction(SIGFPE, &action, NULL) == 0, "signal handler");
	report("exception", "SIGFPE", COST(200, divide_by_zero()));
}

/* Modules and libraries. */

static char module[1 << 20];

static long read_module(const char *path)
{
	int file = open(path, O_RDONLY);
	long bytes = file < 0 ? -1 : read(file, module, sizeof module);

	must(bytes > 0, path);
	close(file);
	return bytes;
}

static void load_and_unload(long bytes)
{
	if (syscall(SYS_init_module, module, bytes, "") == 0)
		syscall(SYS_delete_module, "small", O_NONBLOCK);
}

static void run(char *const words[])
{
	pid_t child;

	fflush(stdout);
	if (posix_spawn(&child, words[0], NULL, NULL, words, NULL) == 0)
		waitpid(child, NULL, 0);
	else
		printf("failed: %s\n", words[0]);
}

/* Files. */

static char contents[PAGE];

static void read_file(void)
{
	int file = open("/memory/file", O_RDONLY);

	if (read(file, contents, sizeof contents) != sizeof contents)
		return;
	close(file);
}

static void create_and_delete(void)
{
	close(open("/memory/other", O_CREAT | O_EXCL | O_WRONLY, 0600));
	unlink("/memory/other");
}

static void measure_files(void)
{
	int file = open("/memory/file", O_CREAT | O_WRONLY, 0600);

	must(write(file, contents, sizeof contents) == sizeof contents, "file");
	close(file);
	report("file-read", "tmpfs", COST(200, read_file()));
	report("file-create", "tmpfs", COST(200, create_and_delete()));
}

/* How much memory is there, and how much of it is free. */

static long kilobytes(const char *name)
{
	char line[128];
	long value = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	must(file != NULL, "meminfo");
	while (fgets(line, sizeof line, file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name), NULL, 10);
	fclose(file);
	return value;
}

static void *sleeps(void *unused)
{
	pause();
	return unused;
}

static void measure_sleepers(void)
{
	pthread_t thread;
	long before = kilobytes("MemFree:");

	for (int number = 0; number < SLEEPERS; number++)
		must(pthread_create(&thread, NULL, sleeps, NULL) == 0, "thread");
	usleep(200000);
	report("sleeping-task", "pthread",
	       (unsigned long)(before - kilobytes("MemFree:")) * 1024 / SLEEPERS);
}

int main(void)
{
	struct timespec booted, before, after;

	clock_gettime(CLOCK_MONOTONIC, &booted);

	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/proc", 0755);
	mkdir("/memory", 0755);
	must(mount("proc", "/proc", "proc", 0, NULL) == 0, "proc");
	must(mount("tmpfs", "/memory", "tmpfs", 0, NULL) == 0, "tmpfs");
	mknod("/null", S_IFCHR | 0666, makedev(1, 3));
	/* The kernel's clock starts with the kernel, after firmware and unpacking, which flatters it. */
	report("boot", "kernel", (unsigned long)booted.tv_sec * 1000000000UL + (unsigned long)booted.tv_nsec);
	report("memory", "used", (unsigned long)(kilobytes("MemTotal:") - kilobytes("MemFree:")) * 1024);
	report("memory", "total", (unsigned long)kilobytes("MemTotal:") * 1024);

	clock_gettime(CLOCK_MONOTONIC, &before);
	unsigned long ticks = timestamp();

	report("null-call", "getppid", COST(10000, syscall(SYS_getppid)));
	policy(SCHED_FIFO, 1);
	measure_yield("FIFO");
	policy(SCHED_OTHER, 0);
	measure_yield("fair");
	report("spawn", "pthread", COST(100, spawn()));
	measure_programs();
	report("map-4k", "mmap", COST(200, map(PAGE)));
	report("map-64k", "mmap", COST(100, map(16 * PAGE)));
	report("map-1m", "mmap", COST(10, map(256 * PAGE)));
	measure_messages();
	report("heap", "malloc", COST(1000, allocate_and_free()));
	report("heap-100", "malloc", COST(20, allocate_many_and_free()) / 100);
	measure_tick();
	measure_exception();
	long bytes = read_module("/small.ko");
	report("load-component", "module", COST(20, load_and_unload(bytes)));
	measure_files();
	run((char *const[]){"/loads_library", NULL});
	run((char *const[]){"/unwinds", NULL});
	bytes = read_module("/inside.ko");
	if (syscall(SYS_init_module, module, bytes, "") == 0 || errno != ECANCELED)
		printf("failed: inside.ko: %s\n", strerror(errno));
	measure_sleepers();

	ticks = timestamp() - ticks;
	clock_gettime(CLOCK_MONOTONIC, &after);
	unsigned long nanoseconds = (unsigned long)(after.tv_sec - before.tv_sec) * 1000000000UL +
				    (unsigned long)after.tv_nsec - (unsigned long)before.tv_nsec;
	printf("clock %lu ticks %lu nanoseconds\n", ticks, nanoseconds);
	printf("done\n");
	fflush(stdout);
	/* The exit device ends the machine at once, which a power-off does not. */
	if (iopl(3) == 0)
		outl(0, 0xf4);
	reboot(RB_POWER_OFF);
	return 0;
}
