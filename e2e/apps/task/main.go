// A WASI p1 command for the bench; what it does is its first argument.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	verb, arg := "hello", ""
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	if len(os.Args) > 2 {
		arg = os.Args[2]
	}
	n, _ := strconv.Atoi(arg)
	switch verb {
	case "hello":
		fmt.Println("hello from", os.Getenv("POD_NAME"), os.Args)
	case "loop":
		for i := 0; ; i++ {
			fmt.Println("tick", i)
			time.Sleep(time.Second)
		}
	case "exit":
		os.Exit(n)
	case "trap":
		var p *int
		*p = 1
	case "alloc": // n MiB, every page touched
		var held [][]byte
		for i := 0; i < n; i++ {
			b := make([]byte, 1<<20)
			for k := 0; k < len(b); k += 4096 {
				b[k] = 1
			}
			held = append(held, b)
		}
		fmt.Println("held", len(held), "MiB")
		time.Sleep(time.Minute)
	case "cat":
		b, err := os.ReadFile(arg)
		if err != nil {
			fmt.Println(err)
			os.Exit(4)
		}
		os.Stdout.Write(b)
	default:
		fmt.Println("unknown verb", verb)
		os.Exit(2)
	}
}
