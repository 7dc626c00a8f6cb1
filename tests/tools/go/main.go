// Prints whom STS takes the AWS SDK for Go for, with whatever its default chain finds.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// This version of the SDK doesn't know AWS_ENDPOINT_URL.
func endpoint(service, region string, options ...interface{}) (aws.Endpoint, error) {
	if url := os.Getenv("AWS_ENDPOINT_URL"); url != "" {
		return aws.Endpoint{URL: url}, nil
	}
	return aws.Endpoint{}, &aws.EndpointNotFoundError{}
}

func main() {
	ctx := context.Background()
	resolver := config.WithEndpointResolverWithOptions(aws.EndpointResolverWithOptionsFunc(endpoint))
	settings, err := config.LoadDefaultConfig(ctx, resolver)
	if err == nil {
		var identity *sts.GetCallerIdentityOutput
		if identity, err = sts.NewFromConfig(settings).GetCallerIdentity(ctx, nil); err == nil {
			fmt.Println(*identity.Arn)
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
