/* A module of about 5 KB, to be loaded and unloaded. */
#include <linux/init.h>
#include <linux/module.h>

static char table[1024] = {1};

static int __init small_start(void)
{
	table[1] = table[0];
	return 0;
}

static void __exit small_stop(void)
{
	table[2] = table[1];
}

module_init(small_start);
module_exit(small_stop);
MODULE_DESCRIPTION("A small module");
MODULE_LICENSE("Dual MIT/GPL");
