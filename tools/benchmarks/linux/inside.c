/* The operations done inside the kernel, where no privilege is crossed: the fairest comparison with a
 * system that has one address space. It measures when it is loaded, and then refuses to stay. */
#include <asm/asm.h>
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "measure.h"

#define MOST_PAGES 256

static void report(const char *row, const char *how, unsigned long ticks)
{
	/* Urgent, so that it is printed although the boot is quiet. */
	pr_alert("row %s inside %s %lu\n", row, how, ticks);
}

static unsigned long word;

static noinline unsigned long read_word(void)
{
	return READ_ONCE(word);
}

static volatile int last;
static volatile unsigned long switches;

/* Only a yield after which the other one ran counts: the policy often goes on with the same. */
static void yield_as(int self)
{
	switches += last != self;
	last = self;
	yield();
}

static int yields(void *unused)
{
	while (!kthread_should_stop())
		yield_as(1);
	return 0;
}

static void measure_yield(void)
{
	struct task_struct *task = kthread_run(yields, NULL, "yields");
	unsigned long before, ticks;

	if (IS_ERR(task))
		return;
	for (int warm = 0; warm < 100; warm++)
		yield_as(0);
	before = switches;
	ticks = timestamp();
	for (int number = 0; number < 4000; number++)
		yield_as(0);
	ticks = timestamp() - ticks;
	if (switches > before)
		report("yield", "kthreads", ticks / (switches - before));
	kthread_stop(task);
}

static int waits_for_stop(void *unused)
{
	set_current_state(TASK_INTERRUPTIBLE);
	if (!kthread_should_stop())
		schedule();
	__set_current_state(TASK_RUNNING);
	return 0;
}

static void spawn(void)
{
	struct task_struct *task = kthread_run(waits_for_stop, NULL, "spawn");

	if (!IS_ERR(task))
		kthread_stop(task);
}

static DECLARE_COMPLETION(question);
static DECLARE_COMPLETION(answer);
static bool ended;

static int answers(void *unused)
{
	for (;;) {
		wait_for_completion(&question);
		if (ended)
			break;
		complete(&answer);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void round_trip(void)
{
	complete(&question);
	wait_for_completion(&answer);
}

static struct page *pages[MOST_PAGES];

static void touch(char *memory, int count)
{
	for (int page = 0; page < count; page++)
		WRITE_ONCE(memory[page * PAGE_SIZE], 1);
}

static void map_frames(int count)
{
	char *memory = vmap(pages, count, VM_MAP, PAGE_KERNEL);

	if (memory) {
		touch(memory, count);
		vunmap(memory);
	}
}

static void map_memory(int count)
{
	char *memory = vmalloc(count * PAGE_SIZE);

	if (memory) {
		touch(memory, count);
		vfree(memory);
	}
}

static void measure_maps(void)
{
	for (int page = 0; page < MOST_PAGES; page++) {
		pages[page] = alloc_page(GFP_KERNEL);
		if (!pages[page])
			return;
	}
	report("map-4k", "vmap", COST(200, map_frames(1)));
	report("map-64k", "vmap", COST(100, map_frames(16)));
	report("map-1m", "vmap", COST(10, map_frames(256)));
	report("map-4k", "vmalloc", COST(200, map_memory(1)));
	report("map-64k", "vmalloc", COST(100, map_memory(16)));
	report("map-1m", "vmalloc", COST(10, map_memory(256)));
	for (int page = 0; page < MOST_PAGES; page++)
		__free_page(pages[page]);
}

static void allocate_and_free(void)
{
	void *volatile block = kmalloc(64, GFP_KERNEL);

	kfree(block);
}

static void *blocks[100];

static void allocate_many_and_free(void)
{
	for (int index = 0; index < 100; index++)
		blocks[index] = kmalloc(64, GFP_KERNEL);
	for (int index = 0; index < 100; index++)
		kfree(blocks[index]);
}

/* Divides by zero; the kernel goes on behind the instruction. */
static noinline void divide_by_zero(void)
{
	unsigned int low = 1, high = 0;

	asm volatile("1: divl %2\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "+a"(low), "+d"(high)
		     : "r"(0));
}

static char buffer[4096];

static void read_file(void)
{
	struct file *file = filp_open("/memory/file", O_RDONLY, 0);
	loff_t position = 0;

	if (IS_ERR(file))
		return;
	kernel_read(file, buffer, sizeof(buffer), &position);
	filp_close(file, NULL);
}

static int __init inside_start(void)
{
	struct task_struct *task;

	report("null-call", "call", COST(10000, read_word()));
	measure_yield();
	report("spawn", "kthread", COST(100, spawn()));
	measure_maps();
	task = kthread_run(answers, NULL, "answers");
	if (!IS_ERR(task)) {
		report("ipc", "completion", COST(200, round_trip()));
		ended = true;
		complete(&question);
		kthread_stop(task);
	}
	report("heap", "kmalloc", COST(1000, allocate_and_free()));
	report("heap-100", "kmalloc",
	       COST(20, allocate_many_and_free()) / 100);
	report("exception", "fix-up", COST(200, divide_by_zero()));
	report("file-read", "kernel_read", COST(200, read_file()));
	return -ECANCELED;
}

module_init(inside_start);
MODULE_DESCRIPTION("Measures operations inside the kernel");
MODULE_LICENSE("Dual MIT/GPL");
