/* A small library. */
static int calls;

int library_call(int number)
{
	return calls += number;
}
