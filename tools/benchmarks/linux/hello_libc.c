/* The same with a C library, as programs are. */
#include <stdio.h>

int main(void)
{
	puts("Hello, world!");
	return 0;
}
