/* Loads and closes a small library. Linked dynamically, which the other program is not. */
#include <dlfcn.h>
#include <stdio.h>

#include "measure.h"

int main(void)
{
	void *library = dlopen("/library.so", RTLD_NOW);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	dlclose(library);
	printf("row load-library user dlopen %lu\n",
	       COST(20, dlclose(dlopen("/library.so", RTLD_NOW))));
	return 0;
}
