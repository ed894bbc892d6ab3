// Command attacker runs inside containers of the tests and does what a shell
// cannot. Whatever it prints on standard output is a hole.
package main

func main() {}
