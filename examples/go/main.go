// Command greet is an example of a module whose dependencies proxaudit learns.
package main

import (
	"fmt"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

func main() {
	fmt.Println(cases.Title(language.English).String("hello"), uuid.New(), cmp.Equal(1, 1))
}
