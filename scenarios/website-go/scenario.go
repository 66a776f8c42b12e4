// A small website: most users look at the front page and at the page about it.
package main

import (
	"fmt"

	"website/swarm"
)

func init() {
	swarm.Register(swarm.Scenario{
		Class: "WebsiteUser",
		Wait:  swarm.Between{MinMS: 1000, MaxMS: 5000},
		Tasks: []swarm.Task{
			{Name: "index", Weight: 1, Run: index},
			{Name: "about", Weight: 1, Run: about},
		},
	})
}

func index(user *swarm.User) error { return visit(user, "/") }

func about(user *swarm.User) error { return visit(user, "/about") }

// visit gets a page, and marks the request as failed if the answer is not the page.
func visit(user *swarm.User, path string) error {
	response, err := user.Get(path)
	if err != nil {
		// No answer: the host has already counted it as a failure, with the reason. An error
		// returned from here would be counted as one of the task's own besides.
		return nil
	}
	defer response.Close()
	if status := response.Status(); status != 200 {
		response.Fail(fmt.Sprintf("expected a 200, got %d", status))
	}
	return nil
}

// main is not called: the host calls the functions that package swarm exports.
func main() {}
