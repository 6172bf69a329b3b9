/* How an operation is measured, in the program and in the module alike: batches, after one that
 * warms up; the cheapest counts, less the cost of an empty loop. Ticks of the time-stamp counter. */
#define BATCHES 7

static inline unsigned long timestamp(void)
{
	unsigned int low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (unsigned long)high << 32 | low;
}

#define CHEAPEST(operations, operation)                                        \
	({                                                                     \
		unsigned long best = ~0UL;                                     \
		for (int batch = 0; batch <= BATCHES; batch++) {               \
			unsigned long before = timestamp();                    \
			for (int number = 0; number < (operations); number++) { \
				operation;                                     \
				__asm__ volatile("" : : : "memory");           \
			}                                                      \
			unsigned long ticks = timestamp() - before;            \
			if (batch > 0 && ticks < best)                         \
				best = ticks;                                  \
		}                                                              \
		best;                                                          \
	})

#define COST(operations, operation)                                            \
	((CHEAPEST(operations, operation) - CHEAPEST(operations, ) +           \
	  (operations) / 2) / (operations))
