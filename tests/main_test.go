package tests

import (
	"os"
	"testing"

	"ociruntime/tests/view"
)

func TestMain(m *testing.M) { os.Exit(view.Main(m)) }
