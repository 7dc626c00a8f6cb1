/* A DNS server that doesn't answer, for the programs that load this library. */
#include <netdb.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    sleep(20);
    return EAI_AGAIN;
}
