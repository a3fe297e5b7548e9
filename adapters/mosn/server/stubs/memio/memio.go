// Package memio stands for a module that MOSN does not use here, and that the module proxy does not have.
package memio
