import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Public } from 'nestjs-wechat-iam';

@Controller()
export class MessagesController {
  @MessagePattern('guarded')
  guarded(): string {
    return 'guarded';
  }

  @Public()
  @MessagePattern('public')
  open(): string {
    return 'public';
  }
}
