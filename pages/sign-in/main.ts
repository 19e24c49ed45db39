import { createApp } from 'vue';
import '../shared/base.css';
import '../shared/plain.css';
import './sign-in.css';
import '../shared/theme';
import SignInPage from './SignInPage.vue';

createApp(SignInPage).mount('#app');
